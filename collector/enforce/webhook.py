"""A message for a program: JSON with a signature that its receiver can check (docs/alerts.md)."""

import hmac
import json

from chaperone.collector.enforce.alerting import Webhook
from chaperone.collector.enforce.message import Message
from chaperone.collector.enforce.outcome import Outcome
from chaperone.collector.enforce.post import post

VERSION = "v1"


async def send(webhook: Webhook, message: Message, seconds: int) -> Outcome:
    """Post it, signed at this time (seconds since 1970)."""
    body = json.dumps(message.document(), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    headers = {
        "Content-Type": "application/json",
        "Chaperone-Message": message.id,
        "Chaperone-Timestamp": str(seconds),
        "Chaperone-Signature": signature(webhook.key.reveal().encode(), seconds, body),
    }
    return await post(webhook.endpoint, body, headers)


def signature(key: bytes, seconds: int, body: bytes) -> str:
    """`v1=` and the hex HMAC-SHA256 of "v1:TIMESTAMP:" and the body."""
    signed = f"{VERSION}:{seconds}:".encode() + body
    return f"{VERSION}={hmac.digest(key, signed, 'sha256').hex()}"
