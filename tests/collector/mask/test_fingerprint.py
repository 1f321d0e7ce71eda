from hypothesis import given
from hypothesis import strategies as st

from chaperone.collector.mask.fingerprint import Fingerprint, is_masked

KEY = b"k" * 32


def test_a_stand_in_shows_the_size_and_a_fingerprint() -> None:
    assert Fingerprint(KEY).mask(b"s3cr3t-Pa55w0rd").startswith(b"~masked-15-")


@given(st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_equal_secrets_look_equal_and_others_differ(one: bytes, other: bytes) -> None:
    fingerprint = Fingerprint(KEY)
    assert fingerprint.mask(one) == Fingerprint(KEY).mask(one)
    assert (fingerprint.mask(one) == fingerprint.mask(other)) == (one == other)


def test_another_key_gives_another_fingerprint() -> None:
    assert Fingerprint(b"a").mask(b"secret") != Fingerprint(b"b").mask(b"secret")


def test_nothing_stays_nothing_and_a_stand_in_stays_itself() -> None:
    fingerprint = Fingerprint(KEY)
    assert fingerprint.mask(b"") == b""
    assert fingerprint.mask(fingerprint.mask(b"secret")) == fingerprint.mask(b"secret")


def test_what_merely_contains_a_stand_in_is_masked() -> None:
    fingerprint = Fingerprint(KEY)
    imitation = fingerprint.mask(b"secret") + b"hunter2"
    assert b"hunter2" not in fingerprint.mask(imitation)


def test_text_is_measured_in_bytes() -> None:
    assert Fingerprint(KEY).mask_text("ä").startswith("~masked-2-")


def test_a_later_key_shows_its_number() -> None:
    first, second = Fingerprint(KEY).mask(b"s3cr3t"), Fingerprint(KEY, 2).mask(b"s3cr3t")
    assert second == first.replace(b"~masked-6-", b"~masked-6-2.")
    assert is_masked(second) and Fingerprint(KEY, 3).mask(second) == second
