from support.masking import PROTOBUF, enveloped, field, make_body, make_event

from chaperone.collector.mask.binary import KINDS, view


def test_a_known_kind_is_shown() -> None:
    assert view(make_body(enveloped("Pod", field(1, field(1, "web"))), PROTOBUF)) == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "web"},
    }


def test_a_list_is_known_with_its_items() -> None:
    shown = view(make_body(enveloped("NodeList", field(1, field(2, "7")) + field(2, field(1, field(1, "n1")))), PROTOBUF))
    assert shown is not None
    assert shown["items"] == [{"metadata": {"name": "n1"}}]


def test_a_watch_event_is_known_by_its_object() -> None:
    known = make_event(field(1, "ADDED") + field(2, field(1, enveloped("Pod", field(1, field(1, "web"))))), PROTOBUF).body
    shown = view(known)
    assert shown is not None
    assert shown["object"]["metadata"] == {"name": "web"}
    strange = make_event(field(1, "ADDED") + field(2, field(1, enveloped("Strange", field(1, "x")))), PROTOBUF).body
    assert view(strange) is None


def test_an_unknown_kind_and_what_is_no_message_are_not_shown() -> None:
    assert view(make_body(enveloped("Strange", field(1, "x")), PROTOBUF)) is None
    assert view(make_body(b"k8s\x00\xff", PROTOBUF)) is None
    assert "" not in KINDS
