"""Bodies as a few escaped lines."""

from support.documents import SECRET, body

from chaperone.collector.cli.show.body import amount, contents, described

TABLE = {
    "kind": "Table",
    "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Node", "priority": 1}, {"name": "Age", "priority": 0}],
    "rows": [{"cells": ["db\x1b", "n1", "5m"]}, {"cells": ["web", "n1", "17h"]}],
}


def test_a_body_is_described() -> None:
    assert described(body(SECRET, masked=2, size=936)) == "Secret, application/json, 936 bytes, 2 values masked"
    assert described(body("x", mediaType="text/plain; charset=utf-8", complete=False, size=1)) == "text/plain, 1 byte, incomplete"


def test_objects_are_shown_as_yaml_and_cut() -> None:
    assert contents(body({"a": [1, {"b": "x\x1b"}]}), None) == ["a:", "- 1", '- b: "x\\e"']
    assert contents(body({"a": [1, 2]}), 2) == ["a:", "- 1", "… 1 more lines"]


def test_what_the_server_manages_is_left_out() -> None:
    assert contents(body({"metadata": {"name": "db", "managedFields": [1]}}), None) == ["metadata:", "  name: db"]


def test_a_large_object_is_shown_as_json() -> None:
    assert contents(body(["x" * 200_000]), 1) == ["[", "… 2 more lines"]


def test_a_table_is_shown_as_its_reader_saw_it() -> None:
    assert contents(body(TABLE), None) == ["NAME     AGE", "db\\x1b   5m", "web      17h"]


def test_an_odd_table_does_no_harm() -> None:
    assert contents(body({"kind": "Table", "rows": [1], "columnDefinitions": ["x"]}), 1) == ["kind: Table", "… 4 more lines"]
    assert contents(body({"kind": "Table", "rows": [{"cells": 1}], "columnDefinitions": [{"name": "A"}]}), None) == ["A"]


def test_text_keeps_its_lines_and_loses_its_controls() -> None:
    assert contents(body("one\x1b[2J\r\ntwo\n"), None) == ["one\\x1b[2J", "two"]


def test_bytes_that_are_no_text_are_counted() -> None:
    assert contents(body("AAEC", encoding="base64", size=3), None) == ["(3 bytes that are no text)"]


def test_a_body_without_data_has_no_lines() -> None:
    assert contents({key: value for key, value in body("x").items() if key != "data"}, None) == []


def test_amounts_have_a_unit() -> None:
    assert [amount(1), amount(9999), amount(12_345), amount(12_345_678)] == ["1 byte", "9999 bytes", "12.3 kB", "12.3 MB"]
