from support.conversations import Conversation
from support.judging import OFFSET, judged_pipeline

from chaperone.collector.store.rows import Kind


def test_a_batch_is_judged_when_its_marks_are_asked_for() -> None:
    one = Conversation()
    pipeline, rows = judged_pipeline("- {name: a, when: 'call.verb == \"list\"', do: alert}")
    for record in [*one.begun(), one.request("/api/v1/pods")]:
        pipeline.take(record, OFFSET)
    assert not [row for row in rows if row.kind is Kind.VERDICT]
    marks, unmarked = pipeline.marks()
    assert [row.document["rule"] for row in rows if row.kind is Kind.VERDICT] == ["a"]
    assert [mark.stream for mark in marks] == [one.stream] and not unmarked
