import pytest

from chaperone.collector.mask.worth import BLOCK, LONGEST, WHOLE, counts, parts

RANDOM = b"Zq7xWv3pLm9kTb2r"
INNOCENT = """
    postgres admin123 hunter22 db.prod.svc:5432 20260101 2026-01-01T10:00:00Z 10.96.0.1 us-east-1 my-app.default.svc.cluster.local
    https://example.com:8443/x/y correct-horse-battery-staple kubernetes.io/service-account-token myDatabase 1234567890123456 aaaaaaaaaaaa
    true ${PASSWORD} ~masked-15-3f2a9c01b2d4e6f8~ short1
"""
SECRET = """
    Zq7xWv3pLm9k P@ssw0rd s3cr3tpw xkqjzvwpfh 38bd2035-99c7-41fa-88ae-73b703b26edd deadbeef01234567 wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
"""


@pytest.mark.parametrize("value", INNOCENT.split())
def test_words_names_and_numbers_do_not_count(value: str) -> None:
    assert not counts(value.encode())


@pytest.mark.parametrize("value", SECRET.split())
def test_what_is_random_counts(value: str) -> None:
    assert counts(value.encode())


def found(value: bytes, *spans: tuple[int, int]) -> list[bytes]:
    return list(parts(value, lambda _: spans))


def test_a_value_counts_without_the_line_end_that_echo_left() -> None:
    assert found(RANDOM + b"\n") == [RANDOM]


def test_a_long_value_counts_in_blocks_without_a_rest() -> None:
    value = bytes(range(33, 127)) * 3
    blocks = found(value)
    assert b"".join(blocks) == value and len(value) > WHOLE
    assert all(len(block) <= BLOCK for block in blocks) and len(blocks) == 6


def test_of_a_file_only_what_is_a_secret_counts() -> None:
    value = b"host: db.default.svc\nuser: postgres\nkey: " + RANDOM + b"\n"
    assert found(value) == [RANDOM]
    assert found(b'{"auths": {"registry.test": {"auth": "' + RANDOM + b'"}}}') == [RANDOM]
    assert found(b"-----BEGIN X-----\n" + RANDOM + b"\n-----END X-----", (18, 18 + len(RANDOM))) == [RANDOM]


def test_no_more_of_a_value_is_looked_at_than_the_limit() -> None:
    assert sum(map(len, found(bytes(range(256)) * 1024))) <= LONGEST
