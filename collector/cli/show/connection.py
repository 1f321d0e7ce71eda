"""What a connection is called, and how complete its capture is, in a few words."""

from typing import Any

from chaperone.collector.cli.show.table import Cell


def name(connection: dict[str, Any]) -> str:
    """What the client called the server, or else asked a name server for; "" if neither is known."""
    return connection.get("serverName") or next(iter(connection.get("names") or ()), "")


def coverage(connection: dict[str, Any]) -> Cell:
    """The worse direction's word first; "open" while it goes on, "not read" with the TLS stack, "not TLS" where nothing is compared."""
    if unread := connection.get("unread"):
        return Cell(f"not read ({unread})", "bad")
    if not connection.get("ended"):
        return Cell("open", "doubtful")
    said = {way: text for way, text in connection.get("coverage", {}).items() if text}
    if not said:
        return Cell("not TLS", "faint")
    if set(said.values()) == {"complete"}:
        return Cell("complete", "good")
    parts = [f"{way} {text}" for way, text in said.items() if text != "complete"]
    states = {text.partition(":")[0] for text in said.values()}
    return Cell("; ".join(parts), "bad" if "gap" in states else "doubtful")
