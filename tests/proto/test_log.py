"""What is said on stderr, and what never is."""

import argparse
import json
import logging
import threading
import time
from datetime import datetime

import pytest

from chaperone.proto.log import FIELDS, KEPT, Form, Log, add_options, log_of, speaking

LOG = logging.getLogger("chaperone.agent.tried")
SECRET = "s3cret"


def raised() -> KeyError:
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        return error


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_people_read_sentences_with_their_fields(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking("agent", Log()):
        LOG.info("100%% of %s", "it")
        LOG.warning("too late: 100%", extra={"hold": "h", "order": "pass"})
        LOG.debug("not at this level")
    assert said(capsys) == ["chaperone agent: 100% of it", "chaperone agent: too late: 100% hold=h order=pass"]


def test_what_gathers_logs_reads_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    began = time.time()
    with speaking("agent", Log(Form.JSON)):
        LOG.info("a\nb %s", "ü", extra={"hold": "h", "size": 3, "data": SECRET})
    (line,) = said(capsys)
    told = json.loads(line)
    when = told.pop("ts")
    assert when.endswith("Z") and began - 1 < datetime.fromisoformat(when).timestamp() < time.time() + 1
    assert told == {"level": "info", "logger": LOG.name, "message": "a\nb ü", "hold": "h", "size": 3}
    assert "data" not in FIELDS, "what is no known field is not said"


@pytest.mark.parametrize("form", list(Form))
def test_of_an_exception_type_and_places_are_said(form: Form, capsys: pytest.CaptureFixture[str]) -> None:
    with speaking("agent", Log(form)):
        LOG.error("a fault", exc_info=raised())
        logging.getLogger("asyncio").error(f"never retrieved\nfuture: {SECRET}", exc_info=raised())
        logging.getLogger("urllib3").info("of libraries only warnings")
    lines = said(capsys)
    assert len(lines) == 2 and SECRET not in "".join(lines)
    for line in lines:
        assert "KeyError at test_log.py:" in line
    assert "never retrieved" in lines[1]


def test_what_ends_it_or_a_thread_is_a_line_as_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise KeyError(SECRET)

    own = threading.excepthook
    with pytest.raises(SystemExit, match="1"), speaking("agent", Log(Form.JSON)):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        fail()
    assert threading.excepthook is own
    lines = said(capsys)
    assert SECRET not in "".join(lines)
    assert [json.loads(line)["message"] for line in lines] == ["a fault ends a thread", "a fault ends this process"]
    assert all(json.loads(line)["fault"].startswith("KeyError at test_log.py:") for line in lines)
    with pytest.raises(KeyError), speaking("agent", Log()):
        fail()


def test_of_several_faults_at_once_each_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking("agent", Log()):
        LOG.error("a fault", exc_info=ExceptionGroup(SECRET, [raised(), ValueError(SECRET)]))
    (line,) = said(capsys)
    assert "KeyError at test_log.py:" in line and line.endswith("; ValueError at nowhere") and SECRET not in line


def test_the_level_is_the_least_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking("collector", Log(level="warning")):
        LOG.info("no")
        LOG.warning("yes")
    with speaking("collector", Log(level="debug")):
        LOG.debug("that, too")
    assert said(capsys) == ["chaperone collector: yes", "chaperone collector: that, too"]


def test_nothing_stays_behind(capsys: pytest.CaptureFixture[str]) -> None:
    before = [*logging.getLogger().handlers], logging.getLogger().level, logging.getLogger("chaperone").level
    with speaking("agent", Log(level="debug")):
        pass
    assert ([*logging.getLogger().handlers], logging.getLogger().level, logging.getLogger("chaperone").level) == before
    assert "log" not in {thread.name for thread in threading.enumerate()}


def test_it_is_said_while_its_process_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with speaking("agent", Log()):
        LOG.warning("soon")
        deadline = time.monotonic() + 30
        lines: list[str] = []
        while not lines:
            assert time.monotonic() < deadline
            time.sleep(0.01)
            lines = said(capsys)
    assert lines == ["chaperone agent: soon"]


def test_too_much_at_once_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("chaperone.proto.log.WRITE_S", 3600)
    with speaking("agent", Log()):
        for number in range(KEPT + 3):
            LOG.warning("%d", number)
    lines = said(capsys)
    assert lines[:2] == ["chaperone agent: 3 lines were left out here", "chaperone agent: 3"]
    assert len(lines) == KEPT + 1


def test_a_reader_that_is_gone_is_no_trouble_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _text: str) -> None:
            raise BrokenPipeError

    with speaking("agent", Log()):
        monkeypatch.setattr("sys.stderr", Gone())
        LOG.warning("to nobody")


def test_a_command_line_chooses() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    assert log_of(parser.parse_args([])) == Log()
    assert log_of(parser.parse_args(["--log-format", "json", "--log-level=error"])) == Log(Form.JSON, "error")
    with pytest.raises(SystemExit):
        parser.parse_args(["--log-format", "xml"])
