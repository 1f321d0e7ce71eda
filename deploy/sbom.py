"""What is in an image's root, as CycloneDX 1.6: sbom.py ROLE VERSION ROOT. Debian's packages by dpkg, Python's by their metadata."""

import json
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

STATUS = "var/lib/dpkg/status"
PYTHON = "usr/local/lib/python3.11/dist-packages"
Component = dict[str, Any]


def debian(status: str) -> Iterator[Component]:
    """The installed packages of a dpkg status file (deb822: one paragraph each)."""
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if not line.startswith(" ") and ": " in line)
        if fields.get("Status", "").endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            yield component(name, version, f"pkg:deb/debian/{name}@{version}?arch={fields['Architecture']}")


def python(folder: Path) -> Iterator[Component]:
    """The distributions in a folder."""
    for found in sorted(distributions(path=[str(folder)]), key=lambda one: one.name.lower()):
        licence = found.metadata.get("License-Expression") or ""
        yield component(found.name, found.version, f"pkg:pypi/{found.name.lower()}@{found.version}", licence)


def component(name: str, version: str, purl: str, licence: str = "") -> Component:
    """One entry."""
    known = {"licenses": [{"expression": licence}]} if licence else {}
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, **known}


def bill(role: str, version: str, root: Path) -> dict[str, Any]:
    """The whole document."""
    components = [*debian((root / STATUS).read_text()), *python(root / PYTHON)]
    about = {"component": {"type": "container", "bom-ref": f"chaperone-{role}", "name": f"chaperone-{role}", "version": version}}
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": about, "components": components}


if __name__ == "__main__":
    json.dump(bill(sys.argv[1], sys.argv[2], Path(sys.argv[3])), sys.stdout, indent=1)
    sys.stdout.write("\n")
