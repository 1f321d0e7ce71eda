"""A certificate in memory, that a server can show and a client trusts."""

import os
import ssl
from pathlib import Path

from chaperone.agent.health.certificate import in_memory, throwaway


def test_it_is_of_no_other_agent_and_on_no_disk() -> None:
    one, other = throwaway(), throwaway()
    try:
        assert os.pread(one, 1 << 16, 0) != os.pread(other, 1 << 16, 0)
        assert str(Path(f"/proc/self/fd/{one}").readlink()).startswith("/memfd:")
        assert not os.get_inheritable(one)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"/proc/self/fd/{one}")
        context.load_verify_locations(f"/proc/self/fd/{one}")
    finally:
        os.close(one)
        os.close(other)


def test_what_is_written_can_be_read_from_its_path() -> None:
    descriptor = in_memory(b"content")
    assert Path(f"/proc/self/fd/{descriptor}").read_bytes() == b"content"
    os.close(descriptor)
