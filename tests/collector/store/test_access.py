import json

from chaperone.collector.identity.access import Access
from chaperone.collector.identity.caller import Caller, Means
from chaperone.collector.store.access import access_row
from chaperone.collector.store.engine import Engine
from chaperone.collector.store.marks import Marks
from chaperone.collector.store.queries import ask
from chaperone.collector.store.writer import Writer

SESSION = "5e" * 16
ALICE = Caller("alice", frozenset({"ops", "dev"}), Means.TOKEN)
BOB = Caller("bob", frozenset(), Means.CERTIFICATE)


def access(number: int, caller: Caller = ALICE, session: str = "") -> Access:
    time = (1_700_000_000 + number) * 1_000_000_000
    return Access(f"{number:032x}", time, caller, "replay", {"bodies": True}, session, is_allowed=caller is ALICE)


def test_accesses_are_listed_oldest_first_by_user_session_and_time(engine: Engine) -> None:
    writer = Writer(engine, Marks(engine, b"k" * 32))
    for one in (access(1), access(2, BOB, SESSION), access(3, session=SESSION)):
        writer.append(access_row(one))
    writer.flush()

    def users(**parameters: str | int) -> list[str]:
        return [row["user"] for row in ask(engine, "accesses.list", json.dumps(parameters))]

    assert users() == ["alice", "bob", "alice"]
    assert users(limit=2) == ["bob", "alice"]
    assert users(user="bob") == ["bob"]
    assert users(session="5e5e") == ["bob", "alice"]
    assert users(since="2023-11-14T22:13:23Z") == ["alice"]


def test_a_row_says_who_by_what_means_for_what_and_whether_they_got_it() -> None:
    assert access_row(access(1, session=SESSION)).document == {
        "id": f"{1:032x}",
        "time": "2023-11-14T22:13:21.000000000Z",
        "user": "alice",
        "groups": ["dev", "ops"],
        "means": "token",
        "question": "replay",
        "parameters": {"bodies": True},
        "session": SESSION,
        "allowed": True,
    }
