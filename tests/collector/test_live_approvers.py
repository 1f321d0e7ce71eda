"""People decide over the network: known by certificate, with the right to, and one of the rule's approvers."""

from pathlib import Path

from support.collectors import ask, collector
from support.receivers import free_port
from support.reviewing import reviewing
from support.stored_approvals import put
from support.tls_directories import SERVER, authority, tls_directory
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.identity.certificates import Subject

RUN = CliRunner().invoke


def test_who_has_the_right_and_is_an_approver_decides(tmp_path: Path) -> None:
    store, parent, address = tmp_path / "store", authority(), f"127.0.0.1:{free_port()}"
    approvals = put(store)
    tls = tls_directory(tmp_path / "tls", parent, SERVER)
    with reviewing(tmp_path) as (reviews, server):
        listening = ["--listen", address, "--tls", str(tls), "--reviews", str(server.kubeconfig(tmp_path))]

        def said(name: str, word: str, which: str) -> str:
            options = ["--server", address, "--tls", str(tls_directory(tmp_path / name, parent, Subject(name)))]
            done = RUN(app, [*options, "approvals", word, approvals[which][:12], "--reason", "planned"])
            return done.stdout or str(done.exception)

        with collector(store, *listening):
            assert said("carol", "approve", "other") == "'carol' may not approve approvals.chaperone.dev in all namespaces"
            reviews.allowed |= {("ann", "approve", "approvals", ""), ("bob", "approve", "approvals", "")}
            assert said("bob", "approve", "other") == "user:bob is none of this rule's approvers: user:ann"
            assert said("ann", "approve", "other") == f"approval {approvals['other'][:12]} approved\n"
            [found] = ask(store, "approvals.list", id=approvals["other"])
            [vote] = found["votes"]
            assert (found["state"], vote["who"], vote["how"], vote["why"]) == ("approved", "user:ann", "certificate", "planned")
