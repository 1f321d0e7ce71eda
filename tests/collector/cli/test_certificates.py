"""`chaperone certificates`, in a directory and in Secrets."""

import base64
from pathlib import Path

from support.keeping_secrets import keeping_secrets
from typer.testing import CliRunner

from chaperone.collector.cli.app import app
from chaperone.collector.cli.failed import CommandError
from chaperone.collector.identity.certificates import caller_of

RUN = CliRunner().invoke


def test_a_directory_gets_what_collector_agents_and_administrators_need(tmp_path: Path) -> None:
    command = ["certificates", "folder", str(tmp_path), "--host", "collector.test", "--host", "10.0.0.1"]
    assert RUN(app, command).stdout.split("\n")[:5] == [
        f"{name}: renewed" for name in ("authority", "collector", "agent", "admin", "metrics")
    ]
    assert RUN(app, command).stdout == "nothing to renew\n"
    assert caller_of((tmp_path / "agent" / "tls.crt").read_bytes()).is_agent
    assert caller_of((tmp_path / "admin" / "tls.crt").read_bytes()).is_admin
    scraper = caller_of((tmp_path / "metrics" / "tls.crt").read_bytes())
    assert not scraper.is_agent and not scraper.is_admin


def test_secrets_get_the_same(tmp_path: Path) -> None:
    with keeping_secrets(tmp_path) as (state, server):
        command = ["certificates", "secrets", "-n", "chaperone", "--kubeconfig", str(server.kubeconfig(tmp_path)), "--host", "c.chaperone"]
        assert RUN(app, command).exit_code == 0
        assert RUN(app, command).stdout == "nothing to renew\n"
        agent = state.secrets["/api/v1/namespaces/chaperone/secrets/chaperone-tls-agent"]
        assert caller_of(base64.b64decode(agent["data"]["tls.crt"])).is_agent
        assert "tls.key" in agent["data"] and "next.key" not in agent["data"]


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    failed = RUN(app, ["certificates", "folder", str(tmp_path / "file")]).exception
    assert isinstance(failed, CommandError)
    assert "file/authority cannot be read: Not a directory" in failed.sentence
