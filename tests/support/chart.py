"""The chart, rendered by Helm's own library."""

from pathlib import Path
from typing import Any

import helm_python
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "chart"
Object = dict[str, Any]


def rendered(values: Object, release: str = "chaperone", namespace: str = "chaperone") -> list[Object]:
    """All objects that these values make. helm_python.HelmError for values that the schema refuses."""
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(values)
        files = chart.render(values, name=release, namespace=namespace)
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one of this kind and name."""
    (found,) = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def bounded(container: Object, *without: str) -> list[str]:
    """What runs a command with no more than this container's capabilities, but for those of `without`."""
    rights = [f"+{name.lower()}" for name in container["securityContext"]["capabilities"]["add"] if name not in without]
    return ["setpriv", f"--bounding-set=-all,{','.join(rights)}", "--no-new-privs"]
