from chaperone.collector.kube.schema import _TYPES, type_of

SCALARS = {"string", "int", "bool", "bytes", "map", "bytesmap", "Time", "Quantity", "IntOrString", "Json", "Raw"}


def test_every_type_that_a_field_names_is_known() -> None:
    named = {slot.type for fields in _TYPES.values() for slot in fields.values()}
    assert named - SCALARS - set(_TYPES) == set()


def test_numbers_of_the_fields_that_hold_secrets() -> None:
    assert type_of("Secret")[2].name == "data"
    assert type_of("Secret")[4].name == "stringData"
    assert type_of("TokenRequestStatus")[1].name == "token"
    assert type_of("ObjectMeta")[12].name == "annotations"
    assert type_of("EnvVar")[2].name == "value"


def test_a_list_of_anything_has_items_and_any_object_has_metadata() -> None:
    assert type_of("WidgetList")[2].type == "Widget"
    assert type_of("WidgetList")[2].repeated
    assert type_of("Widget")[1].type == "ObjectMeta"
    assert type_of("") == {}
