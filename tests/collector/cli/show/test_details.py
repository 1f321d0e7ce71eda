"""One call or session in full."""

from conftest import Golden
from support.documents import SECRET, body, call, exec_call, piece, pod_session, session

from chaperone.collector.cli.show.details import call_lines, piece_lines, place, session_facts


def test_a_call_in_full(golden: Golden) -> None:
    impersonated = {"user": "nobody", "groups": ["dev"], "uid": "", "extra": []}
    golden("call.txt", "\n".join(call_lines(call(impersonated=impersonated, requestBody=body(SECRET)), [])) + "\n")


def test_an_incomplete_exec_in_full(golden: Golden) -> None:
    gap = {"direction": "in", "position": 5, "size": 10, "reason": "ring full"}
    shown = call_lines(exec_call(complete=False, gaps=[gap], requestHeaders=[[None, "x\x1b"]]), [piece("stdout", "a\nb\n", 300)])
    golden("exec.txt", "\n".join(shown) + "\n")


def test_a_denied_call_says_what_its_client_was_told() -> None:
    told = 'pods "agent" is forbidden: denied by policy "no-exec"'
    assert f"Denied:      {told}" in list(call_lines(exec_call(code=403, denied={"rule": "no-exec", "message": told}), []))
    assert not any("Denied" in line for line in call_lines(call(code=403), []))


def test_a_session_in_full(golden: Golden) -> None:
    found = session(calls=2, exchanges=1, bytes={"out": 310, "in": 42_000}, complete=False, missing=["12 bytes lost: ring full"])
    golden("session.txt", "\n".join(session_facts(found)) + "\n")


def test_a_piece_that_is_no_text_is_described() -> None:
    binary = piece("stdout", "", 300)
    binary["body"] |= {"encoding": "base64", "data": "AAEC", "size": 3}
    assert piece_lines(binary, 0)[0].endswith("← stdout: (3 bytes that are no text)")


def test_a_containers_session_in_full(golden: Golden) -> None:
    golden("pod-session.txt", "\n".join(session_facts(pod_session(calls=2, complete=True))) + "\n")


def test_a_container_has_a_place_and_a_run_has_none() -> None:
    assert (place(pod_session()), place(session())) == ("agents/coder/main", "")


def test_a_session_names_the_policies_that_judge_it_and_their_modes() -> None:
    governed = [{"policy": "default", "mode": "record", "from": "collector"}, {"policy": "mine", "mode": "enforce", "from": "run"}]
    [line] = [line for line in session_facts(pod_session(calls=2, governedBy=governed)) if line.startswith("Policies:")]
    assert line.split(maxsplit=1)[1] == "default (record), mine (enforce, of the run)"


def test_of_a_policy_that_enforces_it_is_said_how_many_of_its_rules_do() -> None:
    governed = [{"policy": "default", "mode": "enforce", "from": "collector", "rules": 14, "enforced": 2}]
    [line] = [line for line in session_facts(pod_session(calls=2, governedBy=governed)) if line.startswith("Policies:")]
    assert line.split(maxsplit=1)[1] == "default (enforce: 2 of 14 rules)"


def test_a_session_that_was_cut_says_where_it_goes_on_and_the_next_what_it_continues() -> None:
    lines = [*session_facts(pod_session(calls=2, ended="2026-11-25T10:00:00Z", cut="24 hours were over", goesOn="b" * 32))]
    assert [line for line in lines if line.startswith("Ended:")] == [
        f"Ended:       2026-11-25T10:00:00Z (24 hours were over; goes on in {'b' * 32})"
    ]
    assert f"Continues:   {'a' * 32}" in [*session_facts(pod_session(calls=2, continues="a" * 32))]
