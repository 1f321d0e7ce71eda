"""`chaperone run --policy` as a user types it: real agent, real collector, real clients; what a rule denies is not done.

One run of one script, since starting an agent takes its time: what each command said is looked at by a test of its own.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import ApiServer, running
from support.governed_run import calls, governed, said, storing
from support.kernel import skip_without_kernel

from chaperone.collector.cli.show.call import COLUMNS, row
from chaperone.collector.cli.show.table import Cell

pytestmark = pytest.mark.kernel
RULES = """
- name: no-exec
  when: call.resource == "pods" && call.subresource == "exec"
  do: deny
  enforce: enforce
  message: "exec into {call.namespace}/{call.name}"
- name: no-delete
  when: call.verb == "delete"
  do: deny
  enforce: enforce
  message: "nothing is deleted here"
- name: no-secrets
  when: call.resource == "secrets" && call.verb in ["get", "list", "watch"]
  do: mask
  enforce: enforce
- name: ends-it
  when: call.verb == "patch"
  do: kill
  enforce: enforce
"""
SCRIPT = """
eval "$SAID"
curl() { command curl -sS --max-time 60 --cacert $CA -H "Authorization: Bearer $TOKEN" "$@"; }
twice() { curl $1 -w '%{http_code} %{num_connects}\\n' -o /dev/null -X DELETE $URL/pods/agent \
  --next -sS --cacert $CA -H "Authorization: Bearer $TOKEN" $1 -w '%{http_code} %{num_connects}\\n' -o /dev/null $URL/pods; }
said exec kubectl exec agent -c main -- sh -c 'exit 3'
said delete kubectl delete pod agent
said get kubectl get pods -o name
said http1 twice --http1.1
said http2 twice --http2
said secret-go kubectl get secret db-cred -o json
said secret-http1 curl --http1.1 $URL/secrets/db-cred
said secret-http2 curl --http2 $URL/secrets/db-cred
said killed1 curl --http1.1 -X PATCH -H "Content-Type: application/merge-patch+json" -d '{}' $URL/pods/agent
said killed2 curl --http2 -X PATCH -H "Content-Type: application/merge-patch+json" -d '{}' $URL/pods/agent
said python $PYTHON -c "
import os, ssl, urllib.request
told = {'Authorization': 'Bearer ' + os.environ['TOKEN']}
request = urllib.request.Request(os.environ['URL'] + '/pods/agent', method='DELETE', headers=told)
try:
    urllib.request.urlopen(request, context=ssl.create_default_context(cafile=os.environ['CA']))
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"
"""


@dataclass(frozen=True)
class Ran:
    """What came of it."""

    directory: Path
    server: ApiServer
    last_line: str
    calls: list[dict[str, Any]]

    def said(self, name: str) -> tuple[int, str, str]:
        """Status, stdout, stderr of one command."""
        return said(self.directory, name)

    def asked(self) -> list[tuple[str, str]]:
        return [(one["method"], one["requestURI"].partition("?")[0]) for one in self.server.requests()]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    skip_without_kernel()
    place = tmp_path_factory.mktemp("run")
    with storing(place), running(place / "apiserver", "--pause", "0.05") as server:
        done = governed(place, server, RULES, "sh", "-c", SCRIPT)
        assert done.returncode == 0, done.stderr
        yield Ran(place, server, done.stderr.splitlines()[-1], calls(place))


def test_kubectl_exec_is_denied_and_never_happens(ran: Ran) -> None:
    status, _, err = ran.said("exec")
    assert (status, err.strip().endswith('pods "agent" is forbidden: denied by policy "no-exec": exec into default/agent')) == (1, True), (
        err
    )
    assert not [uri for _, uri in ran.asked() if uri.endswith("/exec")]
    assert {(call["code"], call["denied"]["rule"]) for call in ran.calls if call["subresource"] == "exec"} == {(403, "no-exec")}


def test_who_lists_calls_sees_which_never_left(ran: Ran) -> None:
    rows = [row(call, 0) for call in ran.calls]
    states = {(cells[list(COLUMNS).index("VERB")], cells[-1].text) for cells in rows if isinstance(cells[-1], Cell)}
    assert {("delete", "denied"), ("list", "ok"), ("get", "denied"), ("get", "ok")} <= states and ("delete", "ok") not in states


def test_kubectl_says_who_forbids_it(ran: Ran) -> None:
    told = 'Error from server (Forbidden): pods "agent" is forbidden: denied by policy "no-delete": nothing is deleted here\n'
    assert ran.said("delete") == (1, "", told) or ran.said("delete")[2] == told
    assert "DELETE" not in [method for method, _ in ran.asked()]
    assert {call["code"] for call in ran.calls if call["verb"] == "delete"} == {403}


def test_what_no_rule_is_against_works_as_ever(ran: Ran) -> None:
    status, out, err = ran.said("get")
    assert (status, "pod/agent" in out.splitlines()) == (0, True), err


@pytest.mark.parametrize("name", ["http1", "http2"])
def test_a_connection_with_a_denied_request_goes_on(ran: Ran, name: str) -> None:
    status, out, err = ran.said(name)
    assert (status, out.splitlines()) == (0, ["403 1", "200 0"]), err


def test_python_reads_the_status(ran: Ran) -> None:
    status, out, err = ran.said("python")
    assert (status, out[:4], "nothing is deleted here" in out) == (0, "403 ", True), err


@pytest.mark.parametrize("name", ["killed1", "killed2"])
def test_of_what_a_rule_kills_nothing_leaves(ran: Ran, name: str) -> None:
    status, out, err = ran.said(name)
    assert (status != 0, out) == (True, ""), err
    assert "PATCH" not in [method for method, _ in ran.asked()]
    found = [(call["code"], call["complete"], call["denied"]["rule"]) for call in ran.calls if call["verb"] == "patch"]
    assert found == [(None, True, "ends-it")] * 2


@pytest.mark.parametrize("name", ["secret-go", "secret-http1", "secret-http2"])
def test_secrets_are_stars(ran: Ran, name: str) -> None:
    status, out, err = ran.said(name)
    assert status == 0, err
    shown = {key: set(base64.b64decode(value)) for key, value in json.loads(out)["data"].items()}
    assert shown == {"password": {ord("*")}, "username": {ord("*")}}


def test_the_last_line_says_what_was_done(ran: Ran) -> None:
    assert " deny" in ran.last_line and " mask" in ran.last_line and "not carried out" not in ran.last_line, ran.last_line
    assert " complete " in ran.last_line, ran.last_line
