from chaperone.collector.cli.show.verdict import COLUMNS, line, row
from chaperone.collector.times import time_ns

VERDICT = {
    "id": "1234567890",
    "time": "2026-01-02T03:04:05.000000000Z",
    "severity": "high",
    "action": "deny",
    "rule": "r",
    "call": "",
    "message": "a\x1bb",
    "unknown": ["target.privileged"],
    "notCarriedOut": "nobody did",
}


def test_a_row_has_every_column() -> None:
    cells = [getattr(cell, "text", cell) for cell in row(VERDICT, time_ns(VERDICT["time"]) + 5_000_000_000)]  # type: ignore[arg-type]
    assert dict(zip(COLUMNS, cells, strict=True)) == {
        "ID": "12345678",
        "AGE": "5s",
        "SEVERITY": "high",
        "ACTION": "deny",
        "RULE": "r",
        "CALL": "-",
        "MESSAGE": "a\x1bb (unknown: target.privileged) [not carried out: nobody did]",
    }


def test_a_line_is_safe_for_a_terminal() -> None:
    assert line(VERDICT) == "deny by r (high): a\\x1bb (unknown: target.privileged) [not carried out: nobody did]"
