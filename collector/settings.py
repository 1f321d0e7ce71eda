"""Where things are and how big they may get: the environment and options → frozen values."""

import os
from pathlib import Path

SYSTEM_STORE = Path("/var/lib/chaperone")


def store_directory(option: Path | None, environment: "os._Environ[str] | dict[str, str]", uid: int) -> Path:
    """`--store`, else $CHAPERONE_STORE, else /var/lib/chaperone as root, else XDG state of the user."""
    if option is not None:
        return option
    if named := environment.get("CHAPERONE_STORE"):
        return Path(named)
    if uid == 0:
        return SYSTEM_STORE
    state = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME", "/")) / ".local/state")
    return Path(state) / "chaperone"
