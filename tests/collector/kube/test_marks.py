from chaperone.collector.kube.body import Budget
from chaperone.collector.kube.call import Body, Form
from chaperone.collector.kube.channels import Channels
from chaperone.collector.kube.forms.many import many
from chaperone.collector.kube.marks import restore_ongoing, saved_ongoing
from chaperone.collector.kube.ongoing import Ongoing
from chaperone.collector.kube.watch import EventStream
from chaperone.collector.wire.events import Upgraded


def test_bodies_and_readers_come_back() -> None:
    ongoing = Ongoing(Budget())
    ongoing.request_body = Body(Form.BINARY, "x", 9, 9, True, b"not kept!", ambiguous=("why",))
    ongoing.response = EventStream("application/json", "", Budget())
    ongoing.is_late, ongoing.doubts = True, ("why",)
    saved = saved_ongoing(ongoing)
    assert saved is not None
    assert saved["size"] == 9
    again = restore_ongoing(saved, Budget())
    assert again.request_body == ongoing.request_body
    assert isinstance(again.response, EventStream)
    assert (again.is_late, again.doubts) == (True, ("why",))


def test_channels_in_flight_cannot_be_saved() -> None:
    ongoing = Ongoing(Budget())
    ongoing.channels = Channels(Upgraded(0, 0, 0, "websocket"), "/api/v1/namespaces/d/pods/p/exec")
    assert saved_ongoing(ongoing) is None


def test_a_large_list_that_nobody_has_read_cannot_be_saved() -> None:
    ongoing = Ongoing(Budget())
    ongoing.response_body = Body(Form.JSON, "application/json", 9, 9, True, object=many([b'{"kind":"PodList","items":[{"a":1}]}']))
    assert saved_ongoing(ongoing) is None
