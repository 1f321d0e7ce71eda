"""Secret scalars of YAML in their places."""

import pytest

from chaperone.collector.mask.inline.choice import SECRET
from chaperone.collector.mask.inline.json_spans import APPLIED
from chaperone.collector.mask.inline.yaml_spans import body_spans

BODY = f"""apiVersion: v1
data:
  a: YWRtaW4=
  b: "YQ=="
  n: null
kind: Secret
metadata:
  name: ü
  annotations: {{{APPLIED}: 'x ü y', data: no}}
stringData: {{c: plain}}
items: [{{data: {{d: YWJj}}}}]
"""


def test_values_are_found_in_their_quotes_and_behind_letters_of_several_bytes() -> None:
    data = BODY.encode()
    found = [data[span.begin : span.end].decode() for span in body_spans(data, SECRET)]
    assert found == ["YWRtaW4=", "YQ==", "x ü y", "plain", "YWJj"]
    assert [span.padding for span in body_spans(data, SECRET)] == [1, 2, 0, 0, 0]


@pytest.mark.parametrize("value", ['"a\\tb"', "|\n    two\n    lines", "'it''s'", "no base64"])
def test_what_cannot_keep_its_length_is_a_problem(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        body_spans(f"data:\n  a: {value}\n".encode(), SECRET)


def test_no_yaml_is_one_too() -> None:
    for body in (b"a: [", b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            body_spans(body, SECRET)
    assert body_spans(b"", SECRET) == []
