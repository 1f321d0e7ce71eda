"""Write the chart's definition of policies as objects, made of the model that reads them: deploy/chart/templates/definition.yaml."""

import sys
from pathlib import Path

import yaml

from chaperone.collector.rules.schema import definition

HERE = Path(__file__).parent
TARGET = HERE / "chart" / "templates" / "definition.yaml"
HEAD = "# Made by `make manifests` from collector/rules/schema.py; change that.\n"


def rendered() -> str:
    """As it is in the chart."""
    return HEAD + yaml.safe_dump(definition(), sort_keys=False, width=140)


if __name__ == "__main__":
    TARGET.write_text(rendered())
    sys.stderr.write(f"manifests: wrote {TARGET.relative_to(HERE.parent)}\n")
