"""Render the chart as it is without any values: files in deploy/manifests, for `kubectl apply` without helm.

`chaperone.yaml` is all that helm installs; `clean-up.yaml` the one of its hooks that somebody without helm needs (docs/install.md).
"""

import sys
from pathlib import Path

import helm_python

HERE = Path(__file__).parent
NAMESPACE = "chaperone"
HOOKS = ("clean-up.yaml", "removal.yaml")  # templates of what there is only while helm removes the chart
HEAD = f"""# Made by `make manifests` from deploy/chart; change that. kubectl apply -f this file.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: privileged
"""


def rendered() -> dict[str, str]:
    """The files' contents by their names; all objects are in the chart's order of files."""
    with helm_python.Chart.load(HERE / "chart") as chart:
        files = chart.render({}, name=NAMESPACE, namespace=NAMESPACE)
    texts = {Path(name).name: text.strip().removeprefix("---").strip() for name, text in sorted(files.items()) if name.endswith(".yaml")}
    installed = [text for name, text in texts.items() if name not in HOOKS]
    head = HEAD.partition("\n")[0]
    return {
        "chaperone.yaml": "\n---\n".join([HEAD.strip(), *filter(None, installed)]) + "\n",
        "clean-up.yaml": f"{head}\n{texts['clean-up.yaml']}\n",
    }


if __name__ == "__main__":
    folder = HERE / "manifests"
    folder.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (folder / name).write_text(text)
        sys.stderr.write(f"manifests: wrote {(folder / name).relative_to(HERE.parent)}\n")
