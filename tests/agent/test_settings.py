"""The agent's command line."""

import base64
import json
from pathlib import Path

import pytest

from chaperone.agent.settings import Check, Deliver, Ended, PodSettings, SessionOptions, Settings, Storage, parse


def settings(*arguments: str) -> Settings:
    parsed = parse(["--cgroup", "/c", *arguments])
    assert isinstance(parsed, Settings)
    return parsed


def test_cgroups_and_files_may_be_named_any_number_of_times() -> None:
    parsed = settings("--cgroup", "/d", "--attach", "/bin/a", "--attach", "/bin/b")
    assert (parsed.cgroups, parsed.attach) == ((Path("/c"), Path("/d")), (Path("/bin/a"), Path("/bin/b")))


@pytest.mark.parametrize("argv", [["kubectl", "--check", "-o"], ["kubectl", "exec", "pod", "--", "sh"], ["--"], ["", "{", "\udcff", "ä\n"]])
def test_any_argument_of_cmd_is_kept_as_it_is(tmp_path: Path, argv: list[str]) -> None:
    about = tmp_path / "about"
    about.write_text(json.dumps({"argv": argv, "user": "ann", "notes": ["--"]}))
    assert settings("--session", str(about)).session == SessionOptions(user="ann", argv=tuple(argv), notes=("--",))


@pytest.mark.parametrize("text", ["", "[]", "5", '{"argv": "ls"}', '{"argv": [1]}', '{"user": ["ann"]}', '{"more": ""}', "\x00"])
def test_what_describes_no_session_is_a_usage_error(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    about = tmp_path / "about"
    about.write_text(text)
    with pytest.raises(SystemExit) as caught:
        settings("--session", str(about))
    assert caught.value.code == 2
    assert "does not describe a session" in capsys.readouterr().err


def test_a_long_socket_path_is_reached_through_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    assert settings("--socket", "/run/c.sock").target == "unix:/run/c.sock"
    target = settings("--socket", str(folder / "c.sock")).target
    assert target.startswith("unix:/proc/self/fd/")
    assert Path(target.removeprefix("unix:")).parent.resolve() == folder


def test_memory_is_given_in_mebibytes() -> None:
    assert settings("--memory", "2").memory == 2 << 20


def test_check_needs_nothing_else() -> None:
    assert parse(["--check", "-o", "json"]) == Check("json")


def test_no_cgroup_is_a_usage_error() -> None:
    with pytest.raises(SystemExit) as caught:
        parse([])
    assert caught.value.code == 2


def test_the_spool_is_where_the_options_say(tmp_path: Path) -> None:
    assert settings().storage == Storage(Path("/var/lib/chaperone/spool"), 1 << 30, b"")
    key = tmp_path / "spool.pub"
    key.write_bytes(base64.b64encode(bytes(range(32))) + b"\n")
    given = settings("--spool", "/s", "--spool-limit", "2", "--collector-key", str(key))
    assert given.storage == Storage(Path("/s"), 2 << 20, bytes(range(32)))


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!"])
def test_what_is_no_public_key_is_a_usage_error(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(SystemExit):
        settings("--collector-key", str(tmp_path / "key"))
    assert "is no collector's public key" in capsys.readouterr().err


def test_delivering_needs_no_cgroup() -> None:
    told = parse(["--deliver", "--spool", "/s", "--socket", "/c", "--ended", "5e55=137:it was killed"])
    assert told == Deliver("unix:/c", Storage(Path("/s")), {"5e55": Ended(137, "it was killed")})


def test_a_collector_on_tcp_needs_certificates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert settings("--cgroup", "/a", "--target", "host:7443", "--tls", str(tmp_path)).tls == tmp_path
    with pytest.raises(SystemExit):
        parse(["--cgroup", "/a", "--target", "host:7443"])
    assert "--target needs --tls" in capsys.readouterr().err


def test_who_is_told_how_we_are_is_told_over_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = settings("--cgroup", "/a", "--tls", str(tmp_path), "--health", "[::1]:9444", "--self-probe", "5")
    assert (given.health, given.self_probe_s) == (("::1", 9444), 5.0)
    assert settings("--cgroup", "/a", "--tls", str(tmp_path), "--health", ":9444").health == ("", 9444)
    assert settings("--cgroup", "/a").health is None
    with pytest.raises(SystemExit):
        parse(["--cgroup", "/a", "--health", ":9444"])
    assert "--health needs --tls" in capsys.readouterr().err


def test_nobody_else_writes_bytes_here_unless_the_node_says_so() -> None:
    assert not settings("--cgroup", "/a").allows_edits
    assert settings("--cgroup", "/a", "--allow-edits").allows_edits


def test_pods_are_asked_for_where_a_pod_finds_the_api_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "namespace").write_text("chaperone\n")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    settings = parse(["--pods", "--service-account", str(tmp_path), "--apiserver", "api.example:443"])
    assert isinstance(settings, Settings) and settings.cgroups == ()
    assert settings.pods == PodSettings(("fd00::1", 6443), tmp_path, None, "chaperone", ("api.example:443",))
    told = parse(["--pods", "--api", "[::1]:7443", "--own-namespace", "x", "--cgroup-root", "/sys/fs/cgroup"])
    assert isinstance(told, Settings) and told.pods
    assert (told.pods.api, told.pods.own, told.pods.root) == (("::1", 7443), "x", Path("/sys/fs/cgroup"))


def test_a_share_of_a_processor_is_a_percentage(capsys: pytest.CaptureFixture[str]) -> None:
    assert (settings("--cgroup", "/a").cpu, settings("--cgroup", "/a", "--cpu", "150").cpu) == (0, 150)
    for refused in ("9", "-10", "10.5", "many"):
        with pytest.raises(SystemExit):
            parse(["--cgroup", "/a", "--cpu", refused])
        assert f"{refused} is no whole percentage from 10 on" in capsys.readouterr().err


def test_pods_need_an_api_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SystemExit):
        parse(["--pods"])
    assert "--pods needs --api HOST:PORT" in capsys.readouterr().err
