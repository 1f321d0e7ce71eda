"""A secret of the configuration: a webhook's URL, a signing key. It shows itself to nobody who does not ask by name."""

import os
from pathlib import Path

LIMIT = 8192  # characters


class SecretError(ValueError):
    """A secret that can't be had; the message never quotes it."""


class Secret:
    """A text that neither prints, pickles nor compares."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")


def from_file(path: str) -> Secret:
    """The first line of a file, as a mounted Secret has it. SecretError when there is none."""
    try:
        with Path(path).open(encoding="utf-8") as opened:
            text = opened.read(LIMIT + 1)
    except OSError as error:
        raise SecretError(f"expected a file that can be read, found: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretError("expected UTF-8 in that file") from None
    return _checked(text, "that file")


def from_environment(name: str) -> Secret:
    """The value of a variable of the environment. SecretError when it is not set."""
    if name not in os.environ:
        raise SecretError("expected a variable of the environment that is set")
    return _checked(os.environ[name], "that variable")


def _checked(text: str, place: str) -> Secret:
    text = text.strip()
    if not text or len(text) > LIMIT or not text.isprintable():
        raise SecretError(f"expected one line of 1 to {LIMIT} characters in {place}")
    return Secret(text)
