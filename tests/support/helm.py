"""Helm as a client, which `make setup` puts beside the venv's programs, and charts for it."""

import sys
from pathlib import Path

from support.required import missing

HELM = Path(sys.prefix) / "tools/helm"
CHART = "apiVersion: v2\nname: {name}\nversion: 1.0.0\n"
TEMPLATES = {
    "settings": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n",
    "shop": """apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: main, image: "shop:1"}]}
""",
}


def charts(directory: Path) -> None:
    """`settings` with a ConfigMap and `shop` with a Deployment, each in a folder of its name."""
    for name, template in TEMPLATES.items():
        (directory / name / "templates").mkdir(parents=True)
        (directory / name / "Chart.yaml").write_text(CHART.format(name=name))
        (directory / name / "templates/all.yaml").write_text(template)


def skip_without_helm() -> None:
    """Skip the running test, or fail it, if there is no helm."""
    if not HELM.exists():
        missing("helm is not here: make setup")
