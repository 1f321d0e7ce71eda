from collections.abc import Iterator

from chaperone.collector.serve.metrics import Family, Kind, Sample, exposed


def families() -> Iterator[Family]:
    yield Family("seen", "What was seen.", Kind.COUNTER, ("kind",), (Sample(("call",), 3),))
    yield Family("trouble", "1 in trouble.", Kind.GAUGE, ("part",), (Sample(("store",), 0),))
    yield Family("decision_seconds", "How long.", Kind.HISTOGRAM, ("le",), (Sample(("0.1",), 1), Sample(("+Inf",), 2)), 5.5)


def test_numbers_are_exposed_by_kind() -> None:
    text, form = exposed(families, "")
    assert form.startswith("text/plain")
    for line in (
        'chaperone_seen_total{kind="call"} 3.0',
        'chaperone_trouble{part="store"} 0.0',
        'chaperone_decision_seconds_bucket{le="+Inf"} 2.0',
        "chaperone_decision_seconds_sum 5.5",
    ):
        assert f"{line}\n" in text.decode()


def test_in_the_form_that_is_accepted() -> None:
    text, form = exposed(families, "application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n") and form.startswith("application/openmetrics-text")
