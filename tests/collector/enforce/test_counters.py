from chaperone.collector.enforce.counters import Count, Counters, Event


def test_counts_are_plain_values_by_receiver_and_event() -> None:
    counters = Counters()
    counters.add("slack", Event.SENT)
    counters.add("slack", Event.SENT)
    counters.add("hook", Event.DROPPED, 7)
    counters.add("hook", Event.FAILED, 0)
    assert counters.values() == (Count("hook", Event.DROPPED, 7), Count("slack", Event.SENT, 2))
