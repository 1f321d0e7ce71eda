"""Helm as a client, where `make zoo` has brought one, and charts for it."""

import os
from pathlib import Path

import pytest

HELM = Path(os.environ.get("CHAPERONE_HELM", Path(__file__).parents[2] / ".zoo/helm/helm"))
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
    if not HELM.exists():
        pytest.skip("there is no helm: `make zoo` gets one")
