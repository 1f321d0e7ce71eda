"""What masking replaces in text that has no secret, and how much of what it replaces in recordings is none: the table of docs/masking.md.

Usage: python bench/innocent.py [--write]

Each corpus is masked as it would be in a recording; every place that is replaced is counted, and known to be a secret or not. Secrets in
the recordings are those that were planted: the values of Secrets and tokens. With --write the table is put into docs/masking.md.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.recordings import names, recording, reports

from chaperone.collector.kube.call import Call
from chaperone.collector.mask.fingerprint import STAND_IN, Fingerprint
from chaperone.collector.mask.masked import MaskedBody, MaskedCall
from chaperone.collector.mask.masker import Masker
from chaperone.collector.mask.masking import BUILT_IN
from chaperone.collector.mask.text import Texts
from chaperone.collector.mask.why import Trial

ROOT = Path(__file__).parents[1]
KEY = b"k" * 32
PAGE = ROOT / "docs/masking.md"
BEGIN, END = "<!-- bench/innocent.py -->\n", "<!-- end -->\n"
PLANTED = {"password", "username", "release", "token", "DB_PASSWORD"}  # keys of what is secret in the recordings
RELEASE = {"files", "templates", "replicaCount"}  # of a helm release: replaced whole on purpose
NAMED = re.compile(rb'([\w.-]{1,64})\\*"?(?:,\\*"value\\*")?: ?\\*"?\Z')


@dataclass(slots=True)
class Found:
    """Of one corpus. `false`: what is no secret, by place and what saw it."""

    name: str
    size: int = 0
    secrets: int = 0
    false: Counter[str] = field(default_factory=Counter)

    @property
    def row(self) -> str:
        """Its line of the table."""
        told = "; ".join(f"{place}{f' ({count})' if count > 1 else ''}" for place, count in sorted(self.false.items())) or "none"
        return f"| {self.name} | {self.size / 1024:,.0f} KiB | {self.secrets} | {sum(self.false.values())} | {told} |"


def recorded() -> Found:
    """Bodies and channels of the committed recordings."""
    found = Found("recordings of clients (`tests/captures`)")
    for name in names():
        if (ROOT / f"tests/captures/{name}.jsonl.gz").exists():
            for call, body in bodies(name):
                found.size += body.size
                count(found, name, call, body)
    return found


def bodies(name: str) -> Iterator[tuple[Call, MaskedBody]]:
    masker = Masker(KEY)
    for report in reports(recording(name).chunks):
        if isinstance(report, Call):
            shown: MaskedCall = masker.call(report)
            whole = (shown.request_body, shown.response_body) if report.ended else ()
            yield from ((report, body) for body in (*whole, *(piece.body for piece in shown.pieces)) if body)


def count(found: Found, name: str, call: Call, body: MaskedBody) -> None:
    """Stand-ins by the key before them."""
    data = bytes(body.data)
    for match in re.finditer(STAND_IN, data):
        key = before.group(1).decode() if (before := NAMED.search(data[max(0, match.start() - 120) : match.start()])) else "all of it"
        is_secret = key in PLANTED or (name.startswith("helm-") and key in RELEASE) or (key == "all of it" and call.code is not None)
        if is_secret:
            found.secrets += 1
        else:
            found.false[f"{name}: {key}"] += 1


def printed() -> Found:
    """What the recorded clients wrote to their terminals."""
    found = Found("what these clients printed (their `truth.json`)")
    for path in sorted((ROOT / "tests/captures").glob("*.truth.json")):
        text = json.loads(path.read_text()).get("client_output") or ""
        in_text(found, path.name.removesuffix(".truth.json"), text)
    return found


def documents() -> Found:
    """OpenAPI and discovery: hundreds of names that promise a secret, none of which has one."""
    found = Found("OpenAPI and discovery documents (`deploy/demo/answers`)")
    for path in sorted((ROOT / "deploy/demo/answers").glob("*.json")):
        if path.name.startswith(("openapi", "api", "index", "nodes", "version")):
            found.size += len(data := path.read_bytes())
            reasons = Trial(KEY, BUILT_IN).of(data, "application/json").reasons
            found.false.update(f"{path.name}: {reason.place} by {reason.by}" for reason in reasons)
    return found


def made(file: str, what: str) -> Found:
    """Text that was written to look like secrets without being any."""
    found = Found(f"{what} (`tests/innocent/{file}`)")
    path = ROOT / "tests/innocent" / file
    if path.suffix == ".yaml":
        data = path.read_bytes()
        found.size = len(data)
        for number, document in enumerate(data.split(b"---\n"), 1):
            reasons = Trial(KEY, BUILT_IN).of(document, "application/yaml").reasons
            found.false.update(f"document {number}, `{reason.place}` by {reason.by}" for reason in reasons)
    else:
        in_text(found, "", path.read_text())
    return found


def in_text(found: Found, name: str, text: str) -> None:
    """A text as a channel brings it. What is inside a Secret's manifest or is a token is a secret there too."""
    encoded = text.encode()
    found.size += len(encoded)
    seen: dict[int, set[str]] = {}
    for by, (start, _) in Texts(Fingerprint(KEY)).named(encoded):
        seen.setdefault(encoded.count(b"\n", 0, start) + 1, set()).add(by)
    for line, ways in seen.items():
        if ways & {"manifest", "jwt"}:
            found.secrets += 1
        else:
            found.false[f"{f'{name} ' if name else ''}line {line} by {', '.join(sorted(ways))}"] += 1


def corpora() -> list[Found]:
    return [
        recorded(),
        printed(),
        documents(),
        made("manifests.yaml", "manifests"),
        made("log.txt", "logs"),
        made("terminal.txt", "a terminal"),
        made("code.txt", "source code"),
    ]


def table(found: list[Found]) -> str:
    head = "| corpus | size | secrets replaced | false | which |\n| --- | --- | --- | --- | --- |\n"
    return head + "\n".join(one.row for one in found) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into docs/masking.md")
    written = table(corpora())
    if not parser.parse_args().write:
        print(written, end="")
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{written}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
