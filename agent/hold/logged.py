"""Orders and what came of them, in the agent's log: digests, never a byte of what was said.

Called by the thread that makes records, since those who are held wait for the others.
"""

import logging

from chaperone.proto.records import Outcome, Record

LOG = logging.getLogger("chaperone.agent.orders")


def logged(record: Record) -> Record:
    """The record, which is said now."""
    if isinstance(record, Outcome) and LOG.isEnabledFor(logging.INFO):
        told = {"hold": record.hold, "order": record.order, "result": record.result, "stream": record.stream, "digest": record.digest.hex()}
        LOG.info("an order and what came of it", extra={name: value for name, value in told.items() if value})
    return record


def log_wait(hold: str) -> None:
    """Somebody is being asked; what comes of it is said later."""
    LOG.info("an order to wait", extra={"hold": hold, "order": "wait"})
