"""A message to a receiver, whatever kind it is of."""

import secrets
import time
from dataclasses import dataclass

from chaperone.collector.enforce import lines, webhook
from chaperone.collector.enforce.alerting import Alerting, JsonLines, Receiver, Slack
from chaperone.collector.enforce.message import Message, trial
from chaperone.collector.enforce.outcome import Outcome
from chaperone.collector.times import rfc3339


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test message."""

    receiver: str
    outcome: Outcome


async def send(receiver: Receiver, message: Message) -> Outcome:
    """Try once."""
    if isinstance(receiver.to, Slack):
        from chaperone.collector.enforce import slack  # noqa: PLC0415 - slack-sdk is loaded only where somebody uses Slack

        return await slack.send(receiver.to, message)
    if isinstance(receiver.to, JsonLines):
        return await lines.send(receiver.to, message)
    return await webhook.send(receiver.to, message, int(time.time()))


async def tried(alerting: Alerting, name: str | None) -> list[Tried]:
    """A test message to one receiver or to each, one try each. ValueError when there is none of that name."""
    chosen = [receiver for receiver in alerting.receivers if name in (None, receiver.name)]
    if not chosen:
        if not alerting.receivers:
            raise ValueError("there are no receivers: name a file with --alerts")
        raise ValueError(f"no receiver is called {name!r}; there are {', '.join(receiver.name for receiver in alerting.receivers)}")
    message = trial(secrets.token_hex(16), rfc3339(time.time_ns()))
    return [Tried(receiver.name, await send(receiver, message)) for receiver in chosen]
