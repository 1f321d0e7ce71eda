from pathlib import Path

import pytest
from support.tls_directories import authority, tls_directory

from chaperone.agent.deliver.line import line
from chaperone.collector.identity.certificates import Subject


def test_a_collector_on_tcp_is_never_spoken_to_without_certificates(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs --tls"):
        line("127.0.0.1:7443", None)
    with pytest.raises(FileNotFoundError):
        line("127.0.0.1:7443", tmp_path)


def test_a_socket_needs_none_and_a_readable_directory_does(tmp_path: Path) -> None:
    line("unix:/nowhere", None).close()
    line("127.0.0.1:7443", tls_directory(tmp_path / "tls", authority(), Subject("node-1"))).close()
