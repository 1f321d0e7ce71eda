"""Two requests on one connection."""

import sys

import requests

with requests.Session() as session:
    for path in ("/version", "/demo/bytes?size=100000"):
        assert session.get(sys.argv[1] + path, verify=sys.argv[2]).content
