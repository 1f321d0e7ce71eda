"""What is asked of the API before judging, of whom, and how it comes back."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from support.judged_events import body, call, piece
from support.lookup_api import pod
from support.policies import EXAMPLE, rules

from chaperone.collector.mask.masker import Masker
from chaperone.collector.pipeline.asking import Asking, Named
from chaperone.collector.rules.event import Event
from chaperone.collector.rules.words import UnknownError, read

RULES = rules(EXAMPLE)
MASKER = Masker(b"k" * 32)


class Told:
    """An API at api:6443."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = {("default", one["metadata"]["name"]): one for one in pods}
        self.asked: list[Named] = []

    def is_about(self, authority: str) -> bool:
        return authority == "api:6443"

    def of(self, wanted: Collection[Named]) -> Mapping[Named, Mapping[str, Any]]:
        self.asked += wanted
        return {named: self.pods[named] for named in wanted if named in self.pods}


def exec_(name: str = "web", **changed: Any) -> Event:
    return call(resource="pods", subresource="exec", name=name, **changed)


def privileged(event: Event) -> Any:
    try:
        return read("target.privileged", event)
    except UnknownError:
        return None


def test_a_pod_that_was_never_read_is_known_and_asked_for_once() -> None:
    source = Told(pod("web", True), pod("plain", False))
    asking = Asking(source, MASKER.text)
    events = [exec_(), exec_(), exec_("plain"), exec_("none"), piece("stdin", "x", resource="pods", subresource="exec", name="web")]
    asking.gather((event, RULES) for event in events)
    assert [privileged(asking.told(event)) for event in events] == [True, True, False, None, True]
    assert source.asked == [("default", "web"), ("default", "plain"), ("default", "none")]
    told = asking.told(events[0])
    assert read("target.owner", told) == "ReplicaSet/web-5d8" and read("target.labels", told) == ["app=web"]
    assert (read("target.serviceAccount", told), read("target.images", told)) == ("runner", ["nginx:1"])


@pytest.mark.parametrize(
    "event",
    [
        exec_(authority="other:6443"),
        exec_(name=""),
        call(resource="secrets", name="web"),
        call(resource="pods", name="web", verb="create", requestBody=body(pod("web", False))),
    ],
    ids=["another API", "no name", "a secret", "a pod that is sent"],
)
def test_nothing_else_is_asked(event: Event) -> None:
    source = Told(pod("web", True))
    asking = Asking(source, MASKER.text)
    asking.gather([(event, RULES)])
    assert source.asked == [] and asking.told(event) is event


def test_nothing_is_asked_that_no_rule_would_read_or_where_nobody_can_be_asked() -> None:
    source = Told(pod("web", True))
    asking = Asking(source, MASKER.text)
    asking.gather([(exec_(), rules("- {name: a, when: call.resource == 'pods', do: alert}"))])
    assert source.asked == []
    asking.gather([(exec_(), rules("- {name: a, when: call.resource == 'pods', do: alert, message: '{target.images}'}"))])
    assert source.asked == [("default", "web")]
    nobody = Asking(None, MASKER.text)
    nobody.gather([(exec_(), RULES)])
    assert privileged(nobody.told(exec_())) is None


def test_what_it_says_is_masked_before_anything_sees_it() -> None:
    secret = "ghp_9fKx2LmQ7vTz3RbYw8Hd5Nc1Jp6Sg4Aa0Ue"
    asking = Asking(Told(pod("web", True, labels={"token": secret})), MASKER.text)
    asking.gather([(exec_(), RULES)])
    told = asking.told(exec_())
    assert secret not in str(told.lookup) and "~masked-" in str(told.lookup)
    assert isinstance(read("target.labels", told)[0], str)
