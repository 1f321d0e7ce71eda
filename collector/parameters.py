"""The parameters of a named question, before anybody says which there may be: text → a JSON object."""

import json
from typing import Any


class QuestionError(ValueError):
    """An unknown question or a bad parameter; the message is one sentence for the user."""


def object_in(text: str) -> dict[str, Any]:
    """No text is an empty one. QuestionError."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise QuestionError("the parameters are no JSON") from None
    if not isinstance(found, dict):
        raise QuestionError("the parameters are no JSON object")
    return found
