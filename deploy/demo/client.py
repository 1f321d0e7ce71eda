"""An agent's script as they are often written: the standard library, one keep-alive connection, JSON."""

import http.client
import json
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

directory = Path(os.environ["KUBECONFIG"]).parent
server = json.loads((directory / "kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
headers = {"Authorization": f"Bearer {(directory / 'token').read_text()}", "Accept": "application/json", "User-Agent": "demo-client/1.0"}
trusted = ssl.create_default_context(cafile=directory / "ca.crt")
connection = http.client.HTTPSConnection(urlsplit(server).netloc, context=trusted, timeout=10)

for path in ("/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/secrets/db-cred", "/api/v1/namespaces/default/pods/nope"):
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    found = json.loads(response.read())
    print(response.status, found["kind"], found.get("message", ""))  # noqa: T201
