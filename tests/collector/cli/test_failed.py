"""A command's failure carries its sentence and the next step apart."""

from chaperone.collector.cli.failed import CommandError


def test_a_failure_reads_as_its_sentence() -> None:
    failed = CommandError("nothing is there", "look elsewhere")
    assert (str(failed), failed.sentence, failed.step) == ("nothing is there", "nothing is there", "look elsewhere")


def test_a_next_step_may_be_missing() -> None:
    assert CommandError("nothing is there").step == ""
