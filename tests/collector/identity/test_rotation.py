"""Years of certificates in seconds: a clock that jumps by days, and what everybody would have been shown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.tls_directories import SERVER

from chaperone.collector.identity.certificates import Pair, Subject, caller_of, is_for, is_signed, remaining
from chaperone.collector.identity.rotation import LIFE, NONE, SPREAD, Authority, renewed, turned

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def trusts(bundle: bytes, pair: Pair, now: datetime) -> bool:
    """Whether somebody with this bundle accepts the certificate."""
    parts = [part + b"-----END CERTIFICATE-----\n" for part in bundle.split(b"-----END CERTIFICATE-----\n") if part]
    return any(is_signed(pair.certificate, part) and remaining(part, now) > timedelta(0) for part in parts)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 12), min_size=60, max_size=60))
def test_nobody_is_shown_a_certificate_that_they_do_not_trust(pauses: list[int]) -> None:
    """The job runs now and then, for more than a year; a node has yesterday's bundle still, and another today's certificate."""
    now, authority, pair, bundles = START, None, NONE, []
    for pause in pauses:
        authority = turned(authority, now)
        pair = renewed(pair, SERVER, authority, now)
        bundles.append(authority.trusted)
        assert remaining(pair.certificate, now) > LIFE / 3
        assert all(trusts(bundle, pair, now) for bundle in bundles[-2:])
        now += pause * DAY


def test_an_authority_is_trusted_before_it_signs_and_after() -> None:
    first = turned(None, START)
    late = START + timedelta(days=250)
    second = turned(first, late)
    assert second.active == first.active and second.next != NONE
    assert turned(second, late + SPREAD / 2) == second
    third = turned(second, late + SPREAD)
    assert third == Authority(second.next, before=first.active.certificate)
    assert turned(third, late + timedelta(days=200)).before == b""


def test_a_certificate_is_kept_for_half_its_life() -> None:
    authority = turned(None, START)
    pair = renewed(NONE, SERVER, authority, START)
    assert renewed(pair, SERVER, authority, START + LIFE / 3) is pair
    assert renewed(pair, SERVER, authority, START + LIFE / 2 + DAY) != pair


def test_a_host_that_is_new_gets_into_the_certificate_at_once_and_one_that_is_gone_in_time() -> None:
    authority = turned(None, START)
    pair = renewed(NONE, SERVER, authority, START)
    more = replace(SERVER, hosts=(*SERVER.hosts, "collectors", "::1"))
    again = renewed(pair, more, authority, START)
    assert not is_for(pair.certificate, more.hosts) and is_for(again.certificate, more.hosts)
    assert renewed(again, SERVER, authority, START) is again
    client = renewed(NONE, Subject("agent"), authority, START)
    assert renewed(client, Subject("agent"), authority, START) is client


def test_an_authority_that_has_expired_is_begun_anew() -> None:
    first = turned(None, START)
    assert turned(first, START + timedelta(days=400)).active != first.active


def test_a_certificate_of_another_group_is_replaced_at_once() -> None:
    authority = turned(None, START)
    before = renewed(NONE, SERVER, authority, START)
    both = replace(SERVER, groups=("chaperone:collectors",))
    again = renewed(before, both, authority, START)
    assert caller_of(again.certificate).groups == {"chaperone:collectors"} and again != before
    assert renewed(again, both, authority, START) is again
