from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.approving import ANN, BOB, HOLD, LIFE, NOW, ONE, ROOT, TWO, asking, no, yes

from chaperone.collector.enforce.approvals import book as module
from chaperone.collector.enforce.approvals.book import Book, Go, Refuse, Wait, approval_id
from chaperone.collector.enforce.approvals.state import OPEN, State
from chaperone.collector.enforce.approvals.values import Asking
from chaperone.collector.enforce.approvals.votes import VoteError, met


def asked(book: Book, one: Asking | None = None, now: int = NOW) -> str:
    answer = book.ask(one or asking(), now)
    assert isinstance(answer, Wait), answer
    return answer.approval


def state(book: Book, id_: str) -> State:
    found = book.get(id_)
    assert found
    return found.state


def test_a_request_waits_is_approved_and_passes_once() -> None:
    book = Book()
    id_ = approval_id(asking(1))
    assert book.ask(asking(1), NOW) == Wait(id_, NOW + HOLD)
    assert book.vote(id_, yes()).state is State.APPROVED
    assert book.ask(asking(2), NOW + 1) == Go(id_)
    assert isinstance(book.ask(asking(3), NOW + 2), Wait), "used once"
    found = book.get(id_)
    assert found and found.used == f"{2:032x}"
    assert [entry[0] for entry in found.history] == [State.PENDING, State.APPROVED, State.USED]
    assert [one.version for one in book.take() if one.id == id_] == [1, 2, 3]


@pytest.mark.parametrize("changed", [{"binding": "c" * 64}, {"requester": "default:other"}, {"needs": (replace(ONE, approvals=2),)}])
def test_anything_else_about_the_request_or_its_rules_asks_anew(changed: dict[str, object]) -> None:
    book = Book()
    book.vote(asked(book), yes())
    assert isinstance(book.ask(asking(1, **changed), NOW), Wait)


def test_the_same_request_asked_again_joins_the_one_that_waits() -> None:
    book = Book()
    assert asked(book, asking(1)) == asked(book, asking(2), NOW + 5)
    assert len(book.take()) == 1


def test_a_request_that_is_not_known_whole_is_refused_and_nobody_is_asked() -> None:
    book = Book()
    assert book.ask(asking(binding=""), NOW) == Refuse("", "what it would do is not known whole, so nobody can approve it")
    assert book.take() == []


def test_a_denial_answers_the_same_request_until_it_lapses() -> None:
    book = Book()
    id_ = asked(book)
    assert book.vote(id_, no(why="ask ops first")).state is State.DENIED
    assert book.ask(asking(1), NOW + LIFE - 1) == Refuse(id_, "approval denied by unix:root: ask ops first")
    assert isinstance(book.ask(asking(2), NOW + LIFE), Wait)


def test_an_approval_can_be_taken_back_until_it_is_used() -> None:
    book = Book()
    id_ = asked(book)
    book.vote(id_, yes())
    assert book.vote(id_, no()).state is State.DENIED
    book = Book()
    id_ = asked(book)
    book.vote(id_, yes())
    book.ask(asking(1), NOW)
    with pytest.raises(VoteError, match="is used"):
        book.vote(id_, no())


def test_what_waits_too_long_expires_before_and_after_it_is_approved() -> None:
    book = Book()
    id_ = asked(book)
    assert book.next_lapse() == NOW + LIFE
    with pytest.raises(VoteError, match="is expired"):
        book.vote(id_, yes(time=NOW + LIFE))
    second = asked(book, now=NOW + LIFE)
    assert second == id_, "the call is the same"
    book.vote(second, yes(time=NOW + LIFE + 5))
    assert book.next_lapse() == NOW + 2 * LIFE + 5
    assert isinstance(book.ask(asking(9), NOW + 2 * LIFE + 5), Wait)
    assert state(book, id_) is State.EXPIRED and book.next_lapse() is not None


def test_a_client_that_leaves_unasked_withdraws_the_question_and_one_that_was_told_does_not() -> None:
    book = Book()
    book.left(first := asked(book), NOW)
    assert state(book, first) is State.GONE
    second = asked(book, asking(1))
    assert book.told(second, NOW) == f"approval pending: {second[:12]}, retry"
    book.left(second, NOW)
    assert state(book, second) is State.PENDING
    book.vote(second, no(why="no"))
    assert book.told(second, NOW) == "approval denied by unix:root: no"


def test_the_call_that_used_it_may_ask_again_after_a_restart_and_no_other() -> None:
    book = Book()
    id_ = asked(book, asking(1))
    book.vote(id_, yes())
    assert book.ask(asking(1), NOW) == Go(id_)
    later = Book()
    later.recall([one for one in book.take() if one.version == 3])
    assert later.ask(asking(1), NOW) == Go(id_) and later.take() == []
    assert isinstance(later.ask(asking(2), NOW), Wait)


def test_a_workload_can_wait_for_so_many_things_only(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()
    for number in range(module.WAITING):
        asked(book, asking(number, binding=f"{number:064x}"))
    assert book.ask(asking(99, binding="d" * 64), NOW) == Refuse("", "too many requests wait for approval")
    asked(book, asking(99, binding="d" * 64, requester="another"))
    monkeypatch.setattr(module, "ALL", module.WAITING + 1)
    assert isinstance(book.ask(asking(98, binding="e" * 64, requester="third"), NOW), Refuse)


def test_of_those_that_are_over_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    book, ids = Book(), []
    for number in range(6):
        ids.append(asked(book, asking(number, binding=f"{number:064x}"), NOW + number))
        book.vote(ids[-1], no(time=NOW + number))
    assert [book.get(id_) is not None for id_ in ids] == [False, False, False, True, True, True]
    assert isinstance(book.ask(asking(0, binding=f"{0:064x}"), NOW + 7), Wait)


STEPS = st.lists(st.tuples(st.sampled_from(["ask", "yes", "no", "left", "told"]), st.integers(0, 3), st.integers(0, LIFE)), max_size=40)


@given(STEPS)
def test_whatever_happens_nothing_passes_without_the_votes_and_nothing_twice(steps: list[tuple[str, int, int]]) -> None:
    book, now, passed, known = Book(), NOW, [], set[str]()
    for at, (step, choice, later) in enumerate(steps):
        now += later
        known |= {one.id for one in book.changed}
        person, some = (ROOT, ANN, BOB, ANN)[choice], sorted(known)
        if step == "ask":
            answer = book.ask(asking(at, TWO, binding=f"{choice % 2:064x}"), now)
            passed += [answer.approval] if isinstance(answer, Go) else []
        elif some:
            id_ = some[choice % len(some)]
            try:
                _do(book, step, id_, (person, now))
            except VoteError:
                continue
    assert len(passed) == len(set(passed))
    for id_ in passed:
        found = book.get(id_)
        assert found and met((TWO,), found.votes) and found.state is State.USED
        times = {state: time for state, time, *_ in found.history}
        approved, used = times[State.APPROVED], times[State.USED]
        assert approved <= used < approved + LIFE
    assert all(one.state not in OPEN or one.until > now - LIFE for one in book.changed[-1:])
    versions = [(one.id, one.version) for one in book.changed]
    assert len(versions) == len(set(versions)), "each change has a version of its own"


def _do(book: Book, step: str, id_: str, who: tuple[object, int]) -> None:
    person, now = who
    if step in ("yes", "no"):
        book.vote(id_, (yes if step == "yes" else no)(person, now))  # type: ignore[arg-type]
    elif step == "left":
        book.left(id_, now)
    else:
        book.told(id_, now)
