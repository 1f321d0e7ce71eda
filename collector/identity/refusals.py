"""Why somebody is not answered."""


class DeniedError(Exception):
    """They may not; the message is one sentence."""


class ReviewError(Exception):
    """Nobody could say whether they may; the message is one sentence."""
