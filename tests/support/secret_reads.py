"""`python -m support.secret_reads URL CA TOKEN COUNT THREADS SEED`: reads Secrets in every form and looks for what is secret in them.

Says at its end {"reads": …, "leaks": [form, …], "stars": how many answers had stars, "wrong": […]}.
"""

import http.client
import json
import random
import ssl
import subprocess
import sys
import threading
from collections import Counter
from urllib.parse import urlsplit

CANARIES = (b"s3cr3t-Pa55w0rd", b"czNjcjN0LVBhNTV3MHJk")  # of the demo API server: as it is, and in base64
ACCEPTED = (
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;as=Table;g=meta.k8s.io;v=v1, application/json",
)
PATHS = ("/api/v1/namespaces/default/secrets/db-cred", "/api/v1/namespaces/default/secrets")
CURL_EVERY = 25  # it is a process each time


class Reader(threading.Thread):
    """Reads on one connection after another."""

    def __init__(self, told: list[str], count: int, seed: int) -> None:
        super().__init__()
        self.url, self.ca, self.token = told
        self.count, self.dice = count, random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.leaks: list[str] = []
        self.wrong: list[str] = []
        self._peer: http.client.HTTPSConnection | None = None

    def run(self) -> None:
        for number in range(self.count):
            path, accept = self.dice.choice(PATHS), self.dice.choice(ACCEPTED)
            coding = self.dice.choice(("identity", "gzip"))
            try:
                self._look(self._curl(path, accept) if number % CURL_EVERY == 0 else self._read(path, accept, coding), f"{path} {accept}")
            except (OSError, http.client.HTTPException, subprocess.CalledProcessError) as error:
                self.wrong.append(f"{path} {accept}: {type(error).__name__}")
                self._peer = None

    def _read(self, path: str, accept: str, coding: str) -> bytes:
        if self._peer is None or self.dice.random() < 0.1:
            context = ssl.create_default_context(cafile=self.ca)
            self._peer = http.client.HTTPSConnection(urlsplit(self.url).netloc, context=context, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept, "Accept-Encoding": coding}
        self._peer.request("GET", path, headers=headers)
        answer = self._peer.getresponse()
        data = answer.read()
        if answer.status != http.HTTPStatus.OK or answer.getheader("Content-Encoding"):
            self.wrong.append(f"{path} {accept}: {answer.status} {answer.getheader('Content-Encoding')}")
        return data

    def _curl(self, path: str, accept: str) -> bytes:
        options = ["-sSf", "--max-time", "60", "--cacert", self.ca, "-H", f"Authorization: Bearer {self.token}", "-H", f"Accept: {accept}"]
        version = self.dice.choice(("--http1.1", "--http2"))
        return subprocess.run(["curl", *options, version, "--compressed", self.url + path], stdout=subprocess.PIPE, check=True).stdout

    def _look(self, data: bytes, form: str) -> None:
        self.seen["reads"] += 1
        self.seen["stars"] += b"****" in data or b"Kioq" in data
        self.leaks += [form for canary in CANARIES if canary in data]


def main(url: str, ca: str, token: str, count: str, threads: str, seed: str) -> None:
    readers = [Reader([url, ca, token], int(count) // int(threads), int(seed) + number) for number in range(int(threads))]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    seen = sum((reader.seen for reader in readers), Counter())
    found = {"reads": seen["reads"], "stars": seen["stars"]}
    print(json.dumps(found | {name: [each for reader in readers for each in getattr(reader, name)] for name in ("leaks", "wrong")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
