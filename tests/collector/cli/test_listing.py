"""What lists have in common; what each lists: its own test."""

import pytest
import typer

from chaperone.collector.cli.listing import Way, as_stored
from chaperone.collector.cli.output import Form


@pytest.mark.parametrize("output", [Form.JSON, Form.YAML])
def test_one_document_cannot_go_on(output: Form) -> None:
    with pytest.raises(typer.BadParameter, match="--follow goes with -o table or -o jsonl"):
        Way(output, follow=True)
    Way(output, follow=False)


def test_a_row_is_printed_as_it_is_stored() -> None:
    assert as_stored({"id": "1", "cursor": 7, "at": 9}) == {"id": "1"}
