"""Held calls of a stream and the orders that come of them, without an agent."""

from collections.abc import Callable

import pytest
from support.holding import DENY_DELETE, Holding, names

from chaperone.collector.enforce.orders import Answer, Stand, Wanted
from chaperone.collector.pipeline.loose import GRACE_NS
from chaperone.collector.store.rows import Kind
from chaperone.proto.records import Bound, BreakGlass, Chunk, Direction, Hold, Loss, Outcome, StreamClosed

GET = b"GET /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: api:6443\r\n\r\n"
DELETE = b"DELETE /api/v1/namespaces/default/pods/web HTTP/1.1\r\nHost: api:6443\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ASKS = '- {name: ask, when: call.verb == "delete", do: approve, enforce: enforce, message: sure}'

UPGRADE = b"GET /api/v1/namespaces/default/pods/web/exec?command=sh&stdin=true&tty=true HTTP/1.1\r\nHost: api\r\nConnection: Upgrade\r\n"
UPGRADE += b"Upgrade: websocket\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
SWITCHING += b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"


def typed(text: str) -> bytes:
    return b"\x82" + bytes([0x81 + len(text)]) + bytes(4) + b"\0" + text.encode()


PING = b"\x89\x80" + bytes(4)


class People:
    def __init__(self) -> None:
        self.answer, self.gone = Answer.PENDING, 0

    def asked(self, wanted: Wanted) -> Stand:
        return Stand("a1", self.answer)

    def told(self, wanted: Wanted) -> str:
        return "approval pending: a1, retry"

    def left(self, wanted: Wanted) -> None:
        self.gone += 1


def test_what_is_allowed_passes() -> None:
    held = Holding()
    assert names(held.write(GET)) == ["pass"]
    assert names(held.read(OK, "")) == []
    [*_, call] = held.of(Kind.CALL)
    assert (call.document["code"], "denied" in call.document) == (200, False)


def test_a_request_over_many_writes_is_gathered_until_it_is_whole() -> None:
    held = Holding()
    assert names(held.write(GET[:20])) == ["skip"]
    [told] = held.write(GET[20:])
    assert [(part.begin, part.end, part.template) for part in told.order.write.parts] == [(0, len(GET), "")]


def test_a_denied_request_is_replaced_and_so_is_its_answer() -> None:
    held = Holding()
    assert names(held.write(DELETE[:-1])) == ["skip"]
    told = held.write(DELETE[-1:])
    assert names(told) == ["IN", "write"] and told[0].hold_from.position == 0
    [part] = told[1].order.write.parts
    assert (part.begin, part.end, part.template) == (0, len(DELETE), "http1-harmless")
    assert part.refusal.message == 'pods "web" is forbidden: denied by policy "no-delete": never'
    answer = held.read(OK)
    assert names(answer) == ["IN", "answer"] and answer[0].hold_from.position == 2**63 - 1
    assert [part.template for part in answer[1].order.answer.parts] == ["http1-forbidden"]
    assert names(held.write(GET)) == ["pass"]


def test_a_denied_call_is_recorded_as_denied_and_its_answer_as_nobodys() -> None:
    held = Holding()
    held.write(DELETE)
    held.read(OK)
    held.batch(StreamClosed(held.one.stream, held.one.tick(), *held.positions))
    calls = held.of(Kind.CALL)
    last = calls[-1].document
    assert [call.phase for call in calls] == [1, 4]
    assert (last["code"], last["phase"], last["complete"]) == (403, "end", True)
    assert (last["denied"]["rule"], last["denied"]["policy"], last["denied"]["id"]) == ("no-delete", "agents", last["id"])
    [verdict] = held.of(Kind.VERDICT)
    assert verdict.document["notCarriedOut"] == ""


def test_a_verdict_on_a_stream_that_is_not_held_is_not_carried_out() -> None:
    held = Holding()
    held.batch(Chunk(held.one.stream, Direction.OUT, 0, DELETE, held.one.tick()))
    [verdict] = held.of(Kind.VERDICT)
    assert "was only recorded" in verdict.document["notCarriedOut"]


def test_the_chunk_of_a_held_write_is_not_read_again() -> None:
    held = Holding()
    held.write(GET)
    held.batch(Chunk(held.one.stream, Direction.OUT, 0, GET, held.one.tick()))
    assert len(held.of(Kind.CALL)) == 1 and not held.of(Kind.LOSS)


def test_a_write_that_changed_after_it_was_judged_is_said() -> None:
    for written, is_said in ((GET, False), (GET.replace(b"pods", b"xxxx"), True), (GET[:10], False)):
        held = Holding()
        held.write(GET)
        held.batch(Chunk(held.one.stream, Direction.OUT, 0, written, held.one.tick()))
        assert any("is not what was judged" in row.document["text"] for row in held.of(Kind.NOTE)) is is_said


def test_a_stream_that_is_held_from_the_middle_ends() -> None:
    held = Holding()
    held.batch(Chunk(held.one.stream, Direction.OUT, 0, GET, held.one.tick()))
    held.positions[0] = len(GET)
    assert names(held.write(GET)) == ["kill"]


def test_a_stream_with_a_hole_ends() -> None:
    held = Holding()
    held.write(GET)
    held.batch(Loss(held.one.stream, Direction.OUT, len(GET), 10, held.one.tick(), "ring full"))
    held.positions[0] += 10
    assert names(held.write(GET)) == ["kill"]


def test_a_server_that_speaks_first_is_heard() -> None:
    held = Holding()
    held.read(b"\0\0\0\4\0\0\0\0\0", "")
    assert names(held.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")) == ["pass"]


def test_an_approval_is_waited_for() -> None:
    people = People()
    held = Holding(ASKS, people)
    [told] = held.write(DELETE)
    assert told.order.WhichOneof("action") == "wait"
    assert told.order.wait.until_ns == held.one.time + 10_000_000_000
    assert held.look_again() == [] and held.pipeline.deadline > 0
    people.answer = Answer.APPROVED
    assert names(held.look_again()) == ["pass"]
    assert held.pipeline.deadline == 0


def test_an_approval_that_comes_too_late_is_asked_for_again_by_the_client() -> None:
    held = Holding(ASKS.replace("do: approve", "do: approve, holdLimit: 1ms"), People())
    held.write(DELETE)
    told = held.look_again()
    assert names(told) == ["IN", "write"]
    assert told[1].order.write.parts[0].refusal.message.endswith("approval pending: a1, retry")


def test_a_hold_that_the_agent_decided_has_no_order() -> None:
    people = People()
    held = Holding(ASKS, people)
    held.write(DELETE, "h1")
    people.answer = Answer.APPROVED
    held.batch(Outcome("h1", "timeout-deny", held.one.tick()))
    assert held.look_again() == [] and people.gone == 1


def test_rules_that_cannot_be_asked_leave_it_to_the_policy() -> None:
    for failure, wanted in (("allow", ["pass"]), ("deny", ["IN", "write"])):
        text = f"apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {{name: agents}}\nonFailure: {failure}\nrules:\n{DENY_DELETE}\n"
        held = Holding(text)
        held.judge._moments.of = None  # type: ignore[method-assign, assignment]
        assert names(held.write(GET)) == wanted


def test_of_two_streams_each_has_its_own_orders() -> None:
    held = Holding()
    held.write(GET[:10])
    other = "b" * 32
    told = held.batch(Hold("other", other, Direction.OUT, 0, len(GET), held.one.tick(), GET))  # type: ignore[arg-type]
    assert [each.order.hold for each in told] == ["other"]


POST = (
    b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: api:6443\r\nContent-Type: application/json\r\n"
    b"Expect: 100-continue\r\nContent-Length: 30\r\n\r\n"
)
BY_BODY = '- {name: no-x, when: call.body.data.x == "1", do: deny, enforce: enforce, message: never}'
SEEN = '- {name: seen, when: call.body.data.x == "1", do: alert}'


def test_a_body_that_cannot_be_waited_for_is_unknown_and_what_is_unknown_denies() -> None:
    held = Holding(BY_BODY)
    assert names(held.write(POST)) == ["IN", "write"]
    assert held.told[1].order.write.parts[0].template == "http1-harmless"
    [call] = held.of(Kind.CALL)
    assert (call.document["code"], call.document["complete"], call.document["denied"]["rule"]) == (403, False, "no-x")
    [verdict] = {row.id: row for row in held.of(Kind.VERDICT)}.values()
    assert (verdict.document["unknown"], verdict.document["notCarriedOut"]) == (["call.body"], "")


def test_what_is_allowed_by_its_head_is_judged_by_all_of_it_once_it_is_whole() -> None:
    held = Holding(DENY_DELETE + "\n" + SEEN)
    assert names(held.write(POST)) == ["OUT", "pass"]
    assert held.told[0].hold_from.position == len(POST) + 30
    held.batch(Chunk(held.one.stream, Direction.OUT, len(POST), b'{"data":{"x":"2"},"kind":"xyz"}'[:30], held.one.tick()))
    held.positions[0] += 30
    assert names(held.write(GET)) == ["pass"], "what follows is held again"
    assert [row.document["rule"] for row in held.of(Kind.VERDICT)] == []
    assert len(held.of(Kind.CALL)) == 2 and held.of(Kind.CALL)[0].document["requestBody"]["complete"]


def test_a_body_of_more_than_can_be_gathered_is_decided_by_its_head() -> None:
    held = Holding(BY_BODY)
    post = POST.replace(b"Expect: 100-continue\r\n", b"").replace(b"Length: 30", b"Length: 2000000")
    assert names(held.write(post)) == ["skip"]
    assert names(held.write(b"x" * 1_000_000)) == ["skip"]
    assert names(held.write(b"x" * 500_000)) == ["IN", "write"]
    assert names(held.write(b"x" * 500_000)) == ["write"], "dropped"
    assert held.told[-1].order.write.parts == []


GARBAGE = b"\x00\x01\x02 not http at all\n" * 3
TORN = b"POST /api/v1/pods HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n"
TWOFOLD = b'POST /api/v1/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n{"a":1,"a":2}'
ALLOWS = "apiVersion: chaperone.dev/v1\nkind: Policy\nmetadata: {name: agents}\nunreadable: allow\nrules:\n" + DENY_DELETE + "\n"


def test_what_is_no_http_goes_on_unheld() -> None:
    held = Holding()
    told = held.write(GARBAGE)
    assert names(told) == ["OUT", "IN", "pass"] and told[0].hold_from.position == 2**63 - 1
    held.batch(Chunk(held.one.stream, Direction.OUT, len(GARBAGE), GARBAGE, held.one.tick()))
    assert len(held.told) == 3


def test_http_that_cannot_be_read_ends_unless_the_policy_allows_it() -> None:
    assert names(Holding().write(TORN)) == ["kill"]
    held = Holding(ALLOWS)
    assert names(held.write(TORN[:30])) == ["skip"]
    told = held.write(TORN[30:])
    assert names(told) == ["OUT", "IN", "write"]
    assert [(part.begin, part.end, part.template) for part in told[2].order.write.parts] == [(0, len(TORN), "")]


def test_a_request_that_can_be_read_in_two_ways_is_refused() -> None:
    held = Holding()
    assert names(held.write(TWOFOLD)) == ["IN", "write"]
    assert "more than one way" in held.told[1].order.write.parts[0].refusal.message


def test_behind_an_upgrade_nothing_is_held_where_no_rule_asks_for_channels() -> None:
    asks = '\n- {name: rm, when: channel.text.contains("rm -rf"), do: deny, enforce: enforce}'
    for policy, wanted in ((DENY_DELETE, ["OUT", "pass"]), (DENY_DELETE + asks, ["pass"])):
        held = Holding(policy)
        assert names(held.write(UPGRADE)) == ["pass"]
        held.read(SWITCHING, "")
        assert names(held.write(typed("ls"))) == wanted


def test_behind_an_upgrade_all_is_held_again_from_when_a_rule_asks_for_channels_on() -> None:
    asks = '- {name: rm, when: channel.text.contains("rm -rf"), do: deny, enforce: enforce}'
    held = Holding()
    held.write(UPGRADE)
    held.read(SWITCHING, "")
    held.write(typed("ls"))
    begun, rest = in_halves("rm -r")
    held.unheld(begun)
    assert held.look_again() == [], "nothing has changed"
    held.use(asks)
    [told] = held.look_again()
    assert (told.hold_from.direction, told.hold_from.position) == (Direction.OUT, held.positions[Direction.OUT])
    assert held.look_again() == [], "it is said once"
    assert names(held.write(rest)) == ["pass"] and names(held.write(typed("f /\n"))) == ["kill"]


def test_what_is_under_way_when_a_rule_asks_for_channels_is_seen_and_holds_what_follows() -> None:
    held = Holding()
    held.write(UPGRADE)
    held.read(SWITCHING, "")
    held.write(typed("ls"))
    held.use("- {name: rm, when: channel.size > 99, do: deny, enforce: enforce}")
    held.look_again()
    held.unheld(typed("late"))
    assert names(held.write(typed("ls"))) == ["pass"]
    held.use(DENY_DELETE)
    held.look_again()
    assert names(held.write(typed("ls"))) == ["OUT", "pass"], "nobody asks any more"


def test_an_agent_that_let_a_hold_go_lets_go_of_the_stream() -> None:
    held = Holding(ASKS, People())
    held.write(DELETE, "h1")
    held.batch(Outcome("h1", "timeout-allow", held.one.tick()))
    assert held.look_again() == []
    held.batch(Chunk(held.one.stream, Direction.OUT, len(DELETE), GET, held.one.tick()))
    assert len(held.of(Kind.CALL)) == 2


def test_a_write_that_the_agent_cannot_read_ends() -> None:
    held = Holding()
    assert names(held.batch(Hold("h", held.one.stream, Direction.OUT, 0, 100, held.one.tick(), b""))) == ["kill"]


def test_a_rule_may_end_the_connection_instead_of_telling_the_client() -> None:
    held = Holding(DENY_DELETE.replace("do: deny", "do: deny, how: disconnect"))
    assert names(held.write(DELETE[:-1])) == ["skip"]
    assert names(held.write(DELETE[-1:])) == ["kill"]
    [*_, call] = held.of(Kind.CALL)
    assert (call.document["code"], call.document["denied"]["rule"], call.document["phase"]) == (None, "no-delete", "end")


def test_what_a_kill_ended_before_it_left_is_recorded_as_denied_and_complete() -> None:
    held = Holding(DENY_DELETE.replace("do: deny", "do: kill"))
    assert names(held.write(DELETE)) == ["kill"]
    held.batch(StreamClosed(held.one.stream, held.one.tick(), *held.positions))
    last = held.of(Kind.CALL)[-1].document
    assert (last["code"], last["phase"], last["complete"]) == (None, "end", True)
    assert (last["denied"]["rule"], last["denied"]["policy"], last["denied"]["id"]) == ("no-delete", "agents", last["id"])


def test_what_left_before_a_kill_is_incomplete_and_not_denied() -> None:
    held = Holding(DENY_DELETE.replace("do: deny", "do: kill"))
    assert names(held.write(GET)) == ["pass"]
    assert names(held.write(DELETE)) == ["kill"]
    held.batch(StreamClosed(held.one.stream, held.one.tick(), *held.positions))
    calls = {row.document["verb"]: row.document for row in held.of(Kind.CALL)}
    assert [(verb, call["complete"], "denied" in call) for verb, call in calls.items()] == [("list", False, False), ("delete", True, True)]


def test_a_body_that_takes_too_long_is_decided_by_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    post = POST.replace(b"Expect: 100-continue\r\n", b"")
    held = Holding(BY_BODY)
    assert names(held.write(post)) == ["skip"]
    assert names(held.write(b'{"')) == ["skip"]
    monkeypatch.setattr("chaperone.collector.pipeline.holds.SLOW_NS", 0)
    assert names(held.write(b"data")) == ["IN", "write"]


def test_what_a_rule_denies_of_a_channel_does_not_leave() -> None:
    held = Holding('- {name: rm, when: channel.text.contains("rm -rf"), do: deny, enforce: enforce}')
    held.write(UPGRADE)
    held.read(SWITCHING, "")
    assert names(held.write(typed("ls"))) == ["pass"]
    assert names(held.write(typed("rm -rf /\n"))) == ["kill"]
    [verdict] = held.of(Kind.VERDICT)
    assert verdict.document["notCarriedOut"] == ""


def in_halves(text: str) -> tuple[bytes, bytes]:
    frame = typed(text)
    return frame[:9], frame[9:]


def in_fragments(text: str) -> tuple[bytes, bytes]:
    first, second = bytearray(typed(text[:2])), bytearray(typed(text[2:]))
    first[0], second = 0x02, bytearray(b"\x80" + bytes([0x80 + len(text) - 2]) + bytes(4) + text[2:].encode())
    return bytes(first), bytes(second)


@pytest.mark.parametrize("cut", [in_halves, in_fragments])
def test_of_a_message_over_several_writes_nothing_leaves_before_all_of_it_was_judged(cut: Callable[[str], tuple[bytes, bytes]]) -> None:
    held = Holding('- {name: rm, when: channel.text.contains("rm -rf"), do: deny, enforce: enforce}')
    held.write(UPGRADE)
    held.read(SWITCHING, "")
    first, second = cut("echo\n")
    assert names(held.write(first)) == ["skip"]
    [told] = held.write(second)
    assert [(part.begin, part.end) for part in told.order.write.parts] == [(len(UPGRADE), len(UPGRADE + first + second))]
    assert names(held.write(PING)) == ["pass"]
    first, second = cut("rm -rf /\n")
    assert names(held.write(typed("ls\n") + first)) == ["write"]
    assert held.told[-1].order.write.parts[0].end == held.positions[Direction.OUT] - len(first)
    assert names(held.write(second)) == ["kill"]
    [verdict] = held.of(Kind.VERDICT)
    assert verdict.document["notCarriedOut"] == ""


def test_what_was_gathered_of_a_channel_leaves_with_the_rest_where_no_rule_asks_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Holding('- {name: rm, when: channel.text.contains("rm -rf"), do: deny, enforce: enforce}')
    held.write(UPGRADE)
    held.read(SWITCHING, "")
    first, second = in_halves("echo\n")
    assert names(held.write(first)) == ["skip"]
    monkeypatch.setattr(held.judge, "judges_channels", lambda _: False)
    [unheld, told] = held.write(second[:-1])
    assert unheld.hold_from.direction == Direction.OUT
    assert [(part.begin, part.end) for part in told.order.write.parts] == [(len(UPGRADE), held.positions[Direction.OUT])]


def test_what_is_typed_letter_by_letter_is_decided_before_its_line_is_over() -> None:
    """A terminal sends letters: the last one that makes the word does not leave, and least of all the Enter behind it."""
    alert = '\n- {name: seen, when: channel.text.contains("rm -rf"), do: alert}'
    held = Holding('- {name: rm, when: channel.text.contains("rm -rf"), do: deny, enforce: enforce}' + alert)
    held.write(UPGRADE)
    held.read(SWITCHING, "")
    for letter in "ls\rrm -r":
        assert names(held.write(typed(letter))) == ["pass"]
    assert names(held.write(typed("f"))) == ["kill"]
    assert sorted((row.document["rule"], row.document["notCarriedOut"]) for row in held.of(Kind.VERDICT)) == [("rm", ""), ("seen", "")]
    held.batch(StreamClosed(held.one.stream, held.one.tick(), *held.positions))
    assert [row.document["body"]["data"] for row in held.of(Kind.PIECE)][-1] == "rm -rf"
    assert len(held.of(Kind.VERDICT)) == 2, "the piece that comes with the end is what was judged"


def test_a_stream_that_our_code_fails_on_ends_and_says_so() -> None:
    held = Holding()
    held.write(GET[:10])
    held.holds._under[held.one.stream].held.composer.due = None  # type: ignore[method-assign, assignment]
    assert names(held.write(GET[10:])) == ["kill"]
    assert any("nothing of it is decided" in row.document["text"] for row in held.of(Kind.NOTE))


def test_when_the_glass_is_broken_streams_are_read_on_and_end_when_they_are_held_again() -> None:
    held = Holding()
    assert names(held.write(GET[:20])) == ["skip"]
    told = held.batch(BreakGlass("g1", "n1", held.one.tick(), 2**60, "unix:root", "hunter2 is stuck"))
    assert not told
    for position, data in ((0, GET[:20]), (20, GET[20:] + DELETE)):
        held.batch(Chunk(held.one.stream, Direction.OUT, position, data, held.one.tick()))
    [verdict] = held.of(Kind.VERDICT)
    assert "was only recorded" in verdict.document["notCarriedOut"]
    held.batch(BreakGlass("g1", "n1", held.one.time, 2**60, "unix:root", "hunter2 is stuck", held.one.tick()))
    assert [row.document.get("ended", "") != "" for row in held.of(Kind.GLASS)] == [False, True]
    held.positions[0] = len(GET + DELETE)
    assert names(held.write(GET)) == ["kill"]


def passed_twice(held: Holding) -> None:
    for name in ("a", "b"):
        assert names(held.write(GET, name)) == ["pass"]
        held.batch(Outcome(name, "pass", held.one.tick(), stream=held.one.stream))
        held.read(OK, "")
    held.one.time += GRACE_NS


def test_a_stream_whose_writes_reach_no_socket_ends() -> None:
    held = Holding()
    passed_twice(held)
    assert names(held.write(GET, "c")) == ["kill"]


def test_one_that_is_bound_goes_on_and_so_does_any_where_the_policy_allows_it() -> None:
    bound = Holding()
    passed_twice(bound)
    bound.batch(Bound(bound.one.stream, bound.one.tick(), 7, "a:1", "b:2", bound.one.session))
    assert names(bound.write(GET, "c")) == ["pass"]
    allowed = Holding(ALLOWS)
    passed_twice(allowed)
    assert names(allowed.write(GET, "c")) == ["OUT", "IN", "pass"]
