from chaperone.collector.identity.access import Access
from chaperone.collector.identity.caller import OWNER


def test_what_was_asked_for_is_in_no_error_text() -> None:
    assert "hunter2" not in repr(Access("1", 0, OWNER, "calls.list", {"name": "hunter2"}, "", is_allowed=True))
