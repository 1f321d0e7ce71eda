"""What may be told of an exception: its type and where it came from. Its text might quote payload."""

import traceback
from pathlib import Path


def place_of(error: BaseException) -> str:
    """As `KeyError at stream.py:12`."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    return f"{type(error).__name__} at {where}"
