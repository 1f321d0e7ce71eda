"""Whether the command of an exec is a shell, by whatever way it is started."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath

SHELLS = frozenset({"sh", "bash", "zsh", "ash", "dash", "ksh", "mksh", "fish", "csh", "tcsh", "rbash", "pwsh", "powershell", "cmd"})
STARTERS = frozenset(
    {"env", "busybox", "toybox", "sudo", "su", "doas", "nsenter", "unshare", "chroot", "timeout", "nohup", "setsid", "script", "exec"}
    | {"stdbuf", "nice", "setarch", "linux64", "tini", "dumb-init", "runuser", "login", "chpst", "xargs"}
)


def shell_in(command: Sequence[str]) -> str:
    """Its name; "" when there is none. A starter's arguments are all looked at: one too many is said rather than one too few."""
    if not command:
        return ""
    first = _name(command[0])
    if first in ("su", "login") and not any(_name(word) in SHELLS for word in command[1:]):
        return first  # they start the user's own
    return next(_shells(command[:1] if first not in STARTERS else command), "")


def _shells(words: Iterable[str]) -> Iterator[str]:
    return (name for word in words if (name := _name(word)) in SHELLS)


def _name(word: str) -> str:
    return PurePosixPath(word.strip().lstrip("-")).name.removesuffix(".exe").lower()
