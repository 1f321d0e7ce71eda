from typing import Any

from support import documents as d

from chaperone.collector.pipeline.moments import LATELY, Moments
from chaperone.collector.rules.event import Subject
from chaperone.collector.rules.verdict import Moment
from chaperone.collector.store.rows import Kind, Row

PHASES = {"request": 1, "response": 2, "stream": 3, "end": 4}


def row(kind: Kind, document: dict[str, Any], id_: str = "", call: str = "") -> Row:
    phase = PHASES.get(document.get("phase", ""), 4 if "ended" in document else 1)
    return Row(kind, d.SESSION, id_ or document["id"], phase, 7, 0, document, document.get("stream", ""), call=call)


def begun(moments: Moments) -> None:
    session = d.session()
    del session["ended"], session["status"]
    process = d.process()
    del process["ended"], process["status"]
    for one in (row(Kind.SESSION, session), row(Kind.PROCESS, process)):
        assert moments.of(one) == []


def seen(moments: Moments, found: Row) -> list[tuple[Subject, Moment]]:
    return [(happened.event.subject, happened.event.moment) for happened in moments.of(found)]


def call(phase: str, **changes: Any) -> Row:
    return row(Kind.CALL, d.call(phase=phase, **changes))


def test_each_moment_of_a_call_comes_once() -> None:
    moments = Moments()
    begun(moments)
    found = [seen(moments, call(phase)) for phase in ("request", "response", "stream", "end", "end")]
    assert found == [[(Subject.CALL, Moment.REQUEST)], [(Subject.CALL, Moment.RESPONSE)], [], [(Subject.CALL, Moment.END)], []]


def test_an_answer_before_the_whole_request_waits_for_it() -> None:
    moments = Moments()
    assert seen(moments, call("response", requested=None)) == []
    assert [moment for _, moment in seen(moments, call("response"))] == [Moment.REQUEST, Moment.RESPONSE]
    assert len(seen(moments, call("end", id="c" * 32, requested=None))) == 3


def test_pieces_know_their_call_also_behind_its_end() -> None:
    moments = Moments()
    begun(moments)
    over = row(Kind.CALL, d.exec_call())
    piece = row(Kind.PIECE, d.piece("stdin", "x", 1), f"{d.EXEC}/out/1/0", d.EXEC)
    assert seen(moments, piece) == []
    moments.of(over)
    [happened] = moments.of(row(Kind.PIECE, d.piece("stdin", "x", 1), f"{d.EXEC}/out/1/1", d.EXEC))
    assert (happened.event.key, happened.event.document["id"]) == (f"{d.EXEC}/out/1/1", d.EXEC)


def test_an_exchange_counts_once_however_long_it_goes_on() -> None:
    moments = Moments()
    assert seen(moments, row(Kind.EXCHANGE, d.exchange(phase="request"))) == [(Subject.EGRESS, Moment.REQUEST)]
    moments._done.clear()  # much else was judged since
    assert seen(moments, row(Kind.EXCHANGE, d.exchange(phase="response"))) == []
    assert seen(moments, row(Kind.EXCHANGE, d.exchange(phase="end"))) == []


def test_a_connection_to_somebody_else_brings_its_process() -> None:
    moments = Moments()
    begun(moments)
    document = d.connection(remote="198.51.100.7:443", serverName="", names=["evil.test"])
    del document["ended"]
    [happened] = moments.of(row(Kind.CONNECTION, document))
    assert happened.event.lookup == {
        "process": {"id": d.PROCESS, "pid": 4242, "exe": "/usr/bin/kubectl", "argv": ["kubectl", "get", "secret", "db"]},
        "authority": "evil.test:443",
        "names": ["evil.test"],
    }
    assert moments.of(row(Kind.CONNECTION, document | {"ended": d.at(9)})) == []


def test_what_nobody_reads_is_an_event_of_its_own_whomever_it_leads_to() -> None:
    moments = Moments()
    begun(moments)
    document = d.connection(unread="NSS", unreadSince=d.at(95))
    del document["ended"]
    elsewhere, unread = (happened.event for happened in moments.of(row(Kind.CONNECTION, document)))
    assert (elsewhere.subject, unread.subject, unread.time, unread.lookup["apiserver"]) == (Subject.EGRESS, Subject.TLS, d.at(95), False)
    assert moments.of(row(Kind.CONNECTION, document)) == []
    assert moments.of(row(Kind.CONNECTION, document | {"ended": d.at(110)})) == []
    [known] = moments.of(row(Kind.CONNECTION, document | {"id": "c1" * 16, "remote": "127.0.0.1:6443"}))
    assert (known.event.subject, known.event.lookup["apiserver"]) == (Subject.TLS, True)


def test_what_an_earlier_collector_judged_does_not_come_again() -> None:
    moments = Moments()
    moments.open_call(d.call(phase="response"))
    assert seen(moments, call("end")) == [(Subject.CALL, Moment.END)]
    moments.known(("call", "b" * 32, 1))
    assert [moment for _, moment in seen(moments, call("response", id="b" * 32))] == [Moment.RESPONSE]


def test_the_names_of_what_is_over_are_bounded_and_ended_sessions_go() -> None:
    moments = Moments()
    begun(moments)
    for number in range(LATELY + 10):
        moments.known(("call", str(number), 1))
    assert len(moments._done) == LATELY
    moments.of(row(Kind.SESSION, d.session()))
    assert not moments._sessions and moments.session_of(d.SESSION) == {"id": d.SESSION}
