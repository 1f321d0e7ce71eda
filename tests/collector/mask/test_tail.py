from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from chaperone.collector.mask.fingerprint import Fingerprint
from chaperone.collector.mask.tail import BEHIND, HELD, Tail
from chaperone.collector.mask.text import Texts

TEXTS = Texts(Fingerprint(b"k" * 32))
SECRET = b"Zq7xWv3pLm9k"
JWT = b"eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.GO_2R4rh8KufMBcmL0kdTKJO9dFM3T0"
SHELL = (
    b"$ env\r\nHOME=/root\r\nDB_PASSWORD=" + SECRET + b"\r\n\x1b[32mpass\x1b[0mword=\x1b[1m" + SECRET + b"\x1b[0m\r\n"
    b"-----BEGIN RSA PRIVATE KEY-----\n" + SECRET + b"\n" + SECRET + b"\n-----END RSA PRIVATE KEY-----\n"
    b"- name: DB_PASSWORD\n  value: " + SECRET + b"\nok " + JWT + b" done\nmysql -p" + SECRET + b"\r\n$ "
)


def given_out(pieces: list[bytes]) -> bytes:
    tail = Tail(TEXTS)
    return b"".join([*(tail.feed(piece) for piece in pieces), tail.feed(b"", final=True)])


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = [0, *sorted(cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(borders)]


def test_whole_lines_are_given_out_and_the_unfinished_one_is_held() -> None:
    tail = Tail(TEXTS)
    assert tail.feed(b"one\ntw") == b"one\n"
    assert tail.feed(b"o\n") == b"two\n"
    assert tail.feed(b"$ ") == b""
    assert tail.feed(b"", final=True) == b"$ "


def test_what_is_held_back_can_be_seen_masked_and_stays() -> None:
    tail, answer = Tail(TEXTS), Tail(TEXTS)
    assert tail.held_back() == b""
    tail.feed(b"ls\nPASSWORD=" + SECRET)
    assert tail.held_back().startswith(b"PASSWORD=~masked-12-") and SECRET not in tail.held_back()
    assert tail.feed(b"\n") == given_out([b"PASSWORD=" + SECRET + b"\n"])
    answer.swallow(b"hunter2")
    assert answer.held_back().startswith(b"~masked-7-")


@given(st.lists(st.integers(0, len(SHELL)), max_size=12))
@settings(max_examples=150)
def test_no_secret_survives_wherever_the_text_is_cut(cuts: list[int]) -> None:
    masked = given_out(cut(SHELL, cuts))
    assert SECRET not in masked
    assert JWT[-30:] not in masked
    for kept in (
        b"$ env\r\nHOME=/root\r\nDB_PASSWORD=~masked-",
        b"-----BEGIN RSA PRIVATE KEY-----\n~",
        b"-----END RSA PRIVATE KEY-----\n",
        b" done\n",
    ):
        assert kept in masked


def test_byte_by_byte_nothing_survives_either() -> None:
    assert SECRET not in given_out([SHELL[at : at + 1] for at in range(len(SHELL))])


@given(st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=100)
def test_without_a_secret_every_byte_is_given_out(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    if not TEXTS.spans(whole):
        masked = given_out(pieces)
        assert masked == whole or b"~masked-" in masked


def test_a_token_longer_than_what_is_held_is_replaced_in_parts() -> None:
    token = b"eyJhbGciOiJSUzI1NiIs.eyJ" + b"aBcD1234" * HELD
    masked = given_out([b"x " + token[:100], *(token[at : at + 5000] for at in range(100, len(token), 5000)), b" done\n"])
    assert b"aBcD1234" not in masked
    assert masked.startswith(b"x ~masked-")
    assert masked.endswith(b"~ done\n")


def test_a_line_without_end_is_given_out_between_words() -> None:
    line = b"word " * HELD
    tail = Tail(TEXTS)
    out = tail.feed(line)
    assert len(line) - len(out) <= HELD
    assert out + tail.feed(b"", final=True) == line


@given(st.integers(0, 40_000), st.integers(1000, 9000))
@settings(max_examples=25, deadline=None)
def test_memory_stays_bounded_on_binary_without_lines(size: int, step: int) -> None:
    tail = Tail(TEXTS)
    data = bytes(range(11, 256)) * (size // 100)
    for at in range(0, len(data), step):
        tail.feed(data[at : at + step])
        assert len(tail._held) <= HELD + step
        assert len(tail._behind) <= BEHIND


def test_what_is_typed_after_a_question_for_a_password_is_the_secret() -> None:
    asking = Tail(TEXTS)
    assert asking.feed(b"$ su\r\nPassword: ") == b"$ su\r\n"
    assert asking.asks
    answer = Tail(TEXTS)
    assert answer.swallow(b"hunt") == b""
    masked = answer.swallow(b"er2\rls\r\n")
    assert masked.startswith(b"~masked-7-")
    assert masked.endswith(b"~\rls\r\n")


def test_an_answer_without_a_line_end_is_the_secret_too() -> None:
    answer = Tail(TEXTS)
    answer.swallow(b"hunter2")
    assert answer.feed(b"", final=True).startswith(b"~masked-7-")
    endless = Tail(TEXTS)
    assert b"hunter2" not in endless.swallow(b"hunter2" * HELD) + endless.feed(b"", final=True)


def test_an_ordinary_prompt_asks_for_nothing() -> None:
    tail = Tail(TEXTS)
    tail.feed(b"root@web:/# ")
    assert not tail.asks


def test_a_manifest_is_known_before_its_kind_has_come() -> None:
    for text in (
        b'{\n  "apiVersion": "v1",\n  "data": {\n    "user": "'
        + SECRET
        + b'",\n    "host": "'
        + SECRET
        + b'"\n  },\n  "kind": "Secret"\n}\n',
        b"apiVersion: v1\ndata:\n  user: " + SECRET + b"\n  host: " + SECRET + b"\nkind: Secret\n",
    ):
        shown = given_out(text.splitlines(keepends=True))
        assert SECRET not in shown
        assert b"user" in shown
