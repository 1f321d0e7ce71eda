"""Messages with words in braces: "exec into {call.namespace}/{call.name}". Words are masked; whole bodies are no text."""

import re
from dataclasses import dataclass

from chaperone.collector.rules.condition import Read
from chaperone.collector.rules.words import WORDS, UnknownError

LENGTH = 400  # characters of one word's value in a message
_FIELD = re.compile(r"\{([^{}]*)\}")


class MessageError(ValueError):
    """A template that can't be used; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Message:
    """A template and the words in it."""

    template: str
    words: tuple[str, ...] = ()

    def told(self, read: Read) -> str:
        """With values; an unknown one is "?"."""
        return _FIELD.sub(lambda found: shown(found[1], read), self.template)


def message(template: str) -> Message:
    """A checked template. MessageError when it names what is no word."""
    words = tuple(dict.fromkeys(_FIELD.findall(template)))
    for name in words:
        if name not in WORDS or WORDS[name].type == "dyn":
            raise MessageError(f"expected words such as {{call.name}} in braces, found {{{name[:40]}}}")
    if re.search(r"[{}]", _FIELD.sub("", template)):
        raise MessageError("expected braces in pairs")
    return Message(template, words)


def shown(name: str, read: Read) -> str:
    """A word's value as text, bounded."""
    try:
        value = read(name)
    except UnknownError:
        return "?"
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"
