from dataclasses import replace

from chaperone.agent.sockets.coverage import Coverage, Plaintext
from chaperone.agent.sockets.layout import Denied
from chaperone.agent.sockets.report import DENIED, UNFOLLOWED, Counted, Result, Watched, counted, is_speaking, notes_of
from chaperone.agent.sockets.suite import Suite, quic
from chaperone.agent.sockets.values import Flow, SocketOpened
from chaperone.proto.ids import ProcessId, SessionId
from chaperone.proto.records import Connection, Note, ProcessSeen

SESSION, TLS_13 = SessionId("s"), Suite("TLS 1.3", 17, 52)
PROCESS = ProcessSeen(ProcessId("p"), SESSION, 1, 42, "/usr/bin/wget")
OPENED = SocketOpened(42, 6, 7, 1, 9, "127.0.0.1:4", "127.0.0.1:6443", "tcp")


def watched(*apiservers: str) -> Watched:
    return Watched(OPENED, SESSION, PROCESS, frozenset(apiservers), "api.test", TLS_13)


def replace_stack(one: Watched, stack: str) -> Watched:
    one.stack = stack
    return one


def out(*sizes: int) -> Flow:
    return Flow(sum(sizes) + 9, sum(sizes), len(sizes), 0, 0, sizes, sizes, True)


FLOWS = (out(69, 117), Flow(50, 37, 1, 0, 0, (37,), (37,), True))


def test_a_connection_at_its_begin_and_end() -> None:
    begun = watched().record()
    assert (begun.session, begun.process, begun.time, begun.cookie, begun.remote, begun.ended) == (SESSION, "p", 7, 9, "127.0.0.1:6443", 0)
    result = counted(watched(), FLOWS, Counted((Plaintext(100, 100), Plaintext(20, 20))))
    over = watched().record(99, result)
    assert over == replace(
        begun,
        ended=99,
        wire_out=195,
        wire_in=50,
        app_out=100,
        app_in=20,
        captured_out=100,
        captured_in=20,
        coverage_out="complete",
        coverage_in="complete",
    )


def test_what_certainly_leads_to_no_apiserver() -> None:
    """A connection that does not begin with TLS may lead on through its peer, a proxy."""
    for one, clear, leads_elsewhere in (
        (watched("10.0.0.1:443"), 0, True),
        (watched("10.0.0.1:443"), -1, False),
        (watched("10.0.0.1:443"), 80, False),
        (watched("127.0.0.1:6443"), 0, False),
        (watched("api.test:6443"), 0, False),
        (watched(), 0, False),
    ):
        one.clear = clear
        assert one.leads_elsewhere() is leads_elsewhere


def test_no_tls_has_no_coverage() -> None:
    result = counted(watched(), (Flow(5), Flow(6)), Counted((Plaintext(), Plaintext())))
    assert result == Result((5, 6))


def test_counts_that_are_gone_or_ambiguous_prove_nothing() -> None:
    whole = (Plaintext(100, 100), Plaintext(20, 20))
    for result in (counted(watched(), None, Counted(whole)), counted(watched(), FLOWS, Counted(whole, strays=1))):
        assert {one.state for one in result.coverage if one} == {"unproven"}


def test_what_is_not_followed_proves_nothing_wherever_it_leads() -> None:
    elsewhere = watched("10.0.0.1:443")
    elsewhere.clear = 0
    result = counted(elsewhere, (Flow(unfollowed=True), Flow()), Counted((Plaintext(9, 9), Plaintext(9, 9))))
    assert result.coverage == (UNFOLLOWED, UNFOLLOWED)
    [note] = notes_of(elsewhere, result, 8)
    why, who = "since its packets' headers are not followed", "/usr/bin/wget (pid 42) to 127.0.0.1:6443 (api.test)"
    assert note.text == f"what was said cannot be known, {why}: {who}"
    assert not note.complete


def test_each_reason_to_deny_is_said() -> None:
    assert set(DENIED) == set(Denied)


def test_late_probes_do_not_take_data_for_tickets() -> None:
    flows = (FLOWS[0], Flow(300, 287, 2, 0, 0, (250, 37), (250, 37), True))
    late = counted(watched(), flows, Counted((Plaintext(), Plaintext(20, 20))))
    assert [one.state for one in late.coverage if one] == ["gap", "unproven"]
    in_time = counted(watched(), flows, Counted((Plaintext(100, 100), Plaintext(20, 20))))
    assert [one.state for one in in_time.coverage if one] == ["complete", "complete"]


def test_a_gap_makes_the_recording_incomplete_where_it_matters() -> None:
    missing = Result((9, 9), (Coverage("gap", 30, 10), Coverage("gap", 5, 5)), (20, 0))
    [note] = notes_of(watched("127.0.0.1:6443"), missing, 8)
    assert note.text == "10 bytes out and 5 bytes in were carried and not captured: /usr/bin/wget (pid 42) to 127.0.0.1:6443 (api.test)"
    assert not note.complete
    elsewhere = replace(missing, captured=(0, 0))
    assert [note.complete for note in notes_of(watched("10.0.0.1:443"), elsewhere, 8)] == [True]
    assert [note.complete for note in notes_of(watched("api.test:6443"), elsewhere, 8)] == [False]
    assert [note.complete for note in notes_of(watched(), elsewhere, 8)] == [False]
    assert list(notes_of(watched(), Result((9, 9), (Coverage("complete", 9), None)), 8)) == []


def test_tls_that_cannot_be_read_is_named() -> None:
    one = replace_stack(watched("127.0.0.1:6443"), "NSS")
    connection, note = one.unread(8)
    assert connection == one.record()
    assert isinstance(connection, Connection) and isinstance(note, Note)
    assert (connection.unread, connection.known, connection.ended) == ("NSS", 8, 0)
    who = "/usr/bin/wget (pid 42, NSS) to 127.0.0.1:6443 (api.test)"
    assert note.text == f"TLS from an uninstrumented process: {who}; its plaintext is not recorded"
    assert not note.complete
    for clear, is_complete in ((0, True), (80, False)):  # a proxy passes it on to anybody
        elsewhere = watched("10.0.0.1:443")
        elsewhere.clear = clear
        assert [note.complete for note in elsewhere.unread(8) if isinstance(note, Note)] == [is_complete]


def test_quic_is_named_and_proves_nothing() -> None:
    one = Watched(replace(OPENED, protocol="udp", quic=1), SESSION, PROCESS, frozenset({"10.0.0.1:443"}), "", quic(1))
    *_, note = one.unread(8)
    assert isinstance(note, Note)
    assert note.text == "QUIC: /usr/bin/wget (pid 42) to 127.0.0.1:6443; its plaintext is not recorded"
    result = counted(one, (Flow(1200), Flow(1300)), Counted((Plaintext(), Plaintext())))
    over = one.record(99, result)
    assert (over.tls, over.wire_out, over.wire_in) == ("QUIC v1", 1200, 1300)
    assert {over.coverage_out, over.coverage_in} == {"unproven: QUIC is not read"}


def test_a_client_speaks_behind_its_finished() -> None:
    assert not is_speaking(out(), TLS_13)
    assert not is_speaking(out(900, 69), TLS_13)
    assert is_speaking(out(900, 69, 30), TLS_13)
    assert is_speaking(out(30), Suite("TLS 1.2", 24))
    assert is_speaking(out(900, 90), TLS_13)  # a Finished of another size
    assert not is_speaking(out(900), TLS_13)
