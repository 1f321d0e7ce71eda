"""The whole pure core, wire to kube to mask, on recordings of real clients: what must hold for any stream.

`make fuzz` runs the same properties for longer, on the large recordings too.
"""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.core_properties import PROPERTIES, Property
from support.whole_core import Core
from support.wire_streams import KEPT, SHARED, Chunk, chunks, recorded

from chaperone.collector.kube.call import Call

LARGE = 200_000  # bytes: larger recordings take too long for what they show


def small_recordings() -> dict[str, list[Chunk]]:
    found = {path.name: chunks(path) for path in recorded(SHARED if SHARED.exists() else KEPT)}
    return {name: fed for name, fed in found.items() if sum(len(chunk.data) for chunk in fed) < LARGE}


RECORDINGS = small_recordings()


@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda each: each.__name__)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.sampled_from(sorted(RECORDINGS)), chance=st.randoms(use_true_random=False))
def test_it_holds_for_every_recording(holds: Property, name: str, chance: random.Random) -> None:
    holds(RECORDINGS[name], chance)


@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_every_recording_ends_with_a_mark_but_upgraded_ones(name: str) -> None:
    """SPDY's zlib and channels in flight can't be saved; a stream that has them is joined late, which says so."""
    core = Core()
    reports = [report for chunk in RECORDINGS[name] for report in core.feed(chunk)]
    is_upgraded = any(isinstance(report, Call) and report.code == 101 for report in reports)
    assert (core.mark() is None) == is_upgraded
