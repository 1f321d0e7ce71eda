import pytest

from chaperone.collector.parameters import QuestionError, object_in


@pytest.mark.parametrize("text", ["[", "[1]", '"x"', "1", "null", "[" * 100_000])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(QuestionError, match="no JSON"):
        object_in(text)


def test_no_text_is_an_empty_object() -> None:
    assert object_in("") == object_in("{}") == {}
    assert object_in('{"verb": null}') == {"verb": None}
