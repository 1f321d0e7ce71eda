"""A large list's text without its secrets, window by window: what nobody has to touch is never parsed twice nor copied twice."""

from collections.abc import Iterator
from typing import Any

from chaperone.collector.kube.forms.many import Many, Part, Window
from chaperone.collector.kube.forms.parsed import UnreadableError
from chaperone.collector.mask.tree import Beyond, Trees


def mask_many(trees: Trees, many: Many, secret: bool) -> bytes | None:
    """The list without its secrets; None where it has to be read as a whole, as anything else is.

    A list that brought a secret may have shown it further up too, so it is gone through once more.
    """
    before = trees.texts.known.generation
    try:
        masked = b"".join(_parts(trees, many, secret))
        return masked if trees.texts.known.generation == before else b"".join(_parts(trees, many, secret))
    except (UnreadableError, Beyond, RecursionError):
        return None


def _parts(trees: Trees, many: Many, secret: bool) -> Iterator[Part]:
    yield many.opening
    for parts in map(lambda window: _masked(trees, many, secret, window), many.windows()):  # noqa: C417 - keeps no window
        yield from parts


def _masked(trees: Trees, many: Many, secret: bool, window: Window) -> list[Part]:
    if window.last:
        _check(trees, many, secret, window.value)
    if not secret and not trees.texts.may_hold_secrets(window.text):
        return window.raw
    items = window.value[many.key]
    masked = trees.mask({many.key: items}, secret)[many.key]
    return window.raw if masked is items else [many.written(window, masked)]


def _check(trees: Trees, many: Many, secret: bool, ending: dict[str, Any]) -> None:
    """What is around the items has no secret, and says the kind that was taken for granted."""
    shell = {**many.shell, **ending}
    del shell[many.key]
    if shell.get("kind") != many.kind or trees.mask(shell, secret) is not shell:
        raise UnreadableError("a list with more to it than its items")
