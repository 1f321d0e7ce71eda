"""The names of a cluster's Services, for its pods: serves DNS over UDP at an address. `names.py KUBECTL KUBECONFIG ADDRESS`"""

import json
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from support.name_server import NAMES, A, record, serve_udp


def main(kubectl: str, kubeconfig: str, address: str) -> None:
    """Until it is ended."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((address, 53))
    threading.Thread(target=serve_udp, args=(opened,), daemon=True).start()
    while True:
        said = subprocess.run([kubectl, "--kubeconfig", kubeconfig, "get", "services,endpoints", "-A", "-o", "json"], capture_output=True)
        for one in json.loads(said.stdout)["items"] if not said.returncode else []:
            about = one["metadata"]
            name = f"{about['name']}.{about['namespace']}.svc.cluster.local"
            if addresses := _addresses(one):
                NAMES[name, A] = [record(name, A, socket.inet_aton(one), ttl=1) for one in addresses]
        time.sleep(1)


def _addresses(one: dict[str, Any]) -> list[str]:
    """Of a Service its own; of one without, those of its endpoints."""
    if one["kind"] == "Service":
        return [] if one["spec"]["clusterIP"] == "None" else [one["spec"]["clusterIP"]]
    return [place["ip"] for part in one.get("subsets", []) for place in part.get("addresses", [])]


if __name__ == "__main__":
    main(*sys.argv[1:])
