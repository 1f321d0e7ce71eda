from chaperone.collector.fault import place_of


def test_a_place_names_type_and_line_only() -> None:
    try:
        raise ValueError("payload")
    except ValueError as error:
        assert place_of(error).startswith("ValueError at test_fault.py:")
    assert place_of(ValueError("x")) == "ValueError at nowhere"
