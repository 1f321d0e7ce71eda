"""Why a run could not begin, with the status its caller sees."""

from chaperone.collector.cli.launch.failed import CHAPERONE_FAILED, NOT_FOUND, LaunchError


def test_a_failure_is_chaperones_own_unless_it_says_otherwise() -> None:
    failed = LaunchError("nobody may", "ask somebody")
    assert (str(failed), failed.sentence, failed.fix, failed.status) == ("nobody may", "nobody may", "ask somebody", CHAPERONE_FAILED)


def test_a_command_that_is_missing_has_the_shells_status() -> None:
    assert LaunchError("ls: command not found", status=NOT_FOUND).status == 127
