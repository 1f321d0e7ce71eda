from typing import Any

from chaperone.collector.cli.show.activity import COLUMNS, By, added_up, headings, row


def session(number: int, **changed: Any) -> dict[str, Any]:
    counts = {"calls": 3, "writes": 1, "secretsRead": 2, "exec": 0, "denied": 1, "failed": 0, "alerts": 4}
    about = {"session": f"{number:032x}", "workload": f"run/{number}", "user": "ann", "argv": ["kubectl", "get"], "time": "t"}
    return {**about, **counts, "verbs": {"get": 3}, "resources": {"secrets": 2, "pods": 1, "nodes": 1, "jobs": 1}, **changed}


def texts(one: dict[str, Any], by: By) -> list[str]:
    return [cell if isinstance(cell, str) else cell.text for cell in row(one, by)]


def test_a_session_is_a_row_with_the_most_of_it() -> None:
    [found] = added_up([session(1)], By.SESSION)
    assert texts(found, By.SESSION) == ["00000000", "kubectl get", "3", "1", "2", "0", "1", "0", "4", "secrets 2, pods 1, nodes 1"]
    assert headings(By.SESSION) == ["ID", "COMMAND", *COLUMNS]


def test_sessions_of_one_user_are_added_up() -> None:
    ann, bob = added_up([session(1), session(2, user="bob"), session(3, resources={"nodes": 9})], By.USER)
    assert texts(ann, By.USER) == ["ann", "2", "6", "2", "4", "0", "2", "0", "8", "nodes 10, secrets 2, pods 1"]
    assert (ann["verbs"], bob["sessions"]) == ({"get": 6}, 1)
    assert headings(By.WORKLOAD)[:2] == ["WORKLOAD", "SESSIONS"]


def test_what_is_not_known_has_a_question_mark() -> None:
    [found] = added_up([session(1, user="")], By.USER)
    assert texts(found, By.USER)[0] == "?"
