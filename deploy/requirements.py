"""Which packages an image needs: requirements.py ROLE PYPROJECT. The agent's are few, so that what is privileged stays small."""

import re
import sys
import tomllib
from pathlib import Path

AGENT = ("capstone", "cryptography", "grpcio", "msgpack", "protobuf", "zstandard")


def required(role: str, pyproject: Path) -> list[str]:
    """Requirements as pip takes them."""
    wanted: list[str] = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    return [one for one in wanted if role != "agent" or name_of(one) in AGENT]


def name_of(requirement: str) -> str:
    """The package's name."""
    return re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0]


if __name__ == "__main__":
    sys.stdout.write("\n".join(required(sys.argv[1], Path(sys.argv[2]))) + "\n")
