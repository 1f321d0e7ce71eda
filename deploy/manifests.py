"""Render the chart as it is without any values: deploy/manifests/chaperone.yaml, for `kubectl apply` without helm."""

import sys
from pathlib import Path

import helm_python

HERE = Path(__file__).parent
NAMESPACE = "chaperone"
HEAD = f"""# Made by `make manifests` from deploy/chart; change that. kubectl apply -f this file.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: privileged
"""


def rendered() -> str:
    """All objects, in the chart's order of files."""
    with helm_python.Chart.load(HERE / "chart") as chart:
        files = chart.render({}, name=NAMESPACE, namespace=NAMESPACE)
    texts = [text.strip().removeprefix("---").strip() for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return "\n---\n".join([HEAD.strip(), *filter(None, texts)]) + "\n"


if __name__ == "__main__":
    target = HERE / "manifests" / "chaperone.yaml"
    target.parent.mkdir(exist_ok=True)
    target.write_text(rendered())
    sys.stderr.write(f"manifests: wrote {target.relative_to(HERE.parent)}\n")
