"""Every program is tried on the kernel that runs; one that a verifier refuses is named."""

import ctypes
from typing import Any

import pytest
from support.kernel import cgroup

from chaperone.agent.gate.maps import bpf
from chaperone.agent.hold.lock import Lock, take_off
from chaperone.agent.trace import load, loading
from chaperone.agent.trace.flatten import flatten
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.loading import CONNECTS, programs, refused, said
from chaperone.agent.trace.tracer import TRACEPOINTS, Tracer, TracerSettings

SMALL = TracerSettings(ring_pages=16)
BAD = 'int good(struct pt_regs *ctx) { return 0; }\nint bad(struct pt_regs *ctx) { for (;;) asm volatile(""); return 0; }\n'


def test_all_kinds_of_programs_are_found() -> None:
    found = programs(flatten("chaperone.c"))
    assert found.keys() >= {*TRACEPOINTS, *CONNECTS, "on_tcp_state", "on_ssl_return", "on_records_in", "lock_egress", "lock_more"}
    assert set(found.values()) == {"pt_regs", "bpf_raw_tracepoint_args", "__sk_buff", "bpf_sock_addr"}


@pytest.mark.kernel
def test_this_kernel_takes_every_program_and_the_lock() -> None:
    with Tracer(SMALL) as tracer, cgroup() as path:
        assert list(refused(tracer.kernel)) == []
        Lock(tracer.kernel, 1).put_on(path, is_strict=True, covers=True)
        assert take_off(path) == 1


@pytest.mark.kernel
def test_a_verifier_has_far_less_to_walk_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million instructions are too many; of the same program 6.1 walked four times as many as 6.18."""
    walked = dict[bytes, int]()

    def counted(command: int, attributes: Any) -> int:
        if command != load.PROG_LOAD:
            return bpf(command, attributes)
        log = ctypes.create_string_buffer(4096)
        attributes.log_level, attributes.log_size, attributes.log = 4, len(log), ctypes.addressof(log)  # BPF_LOG_STATS
        loaded = bpf(command, attributes)
        walked[attributes.name] = int(log.value.partition(b"processed ")[2].split()[0])
        return loaded

    monkeypatch.setattr(load, "bpf", counted)
    with Tracer(SMALL) as tracer:
        assert list(refused(tracer.kernel)) == []
    assert len(walked) > 30
    assert max(walked.values()) < 200_000, walked


@pytest.mark.kernel
def test_what_a_kernel_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "#include <uapi/linux/ptrace.h>\n" + BAD
    monkeypatch.setattr(loading, "flatten", lambda _name: text)
    kernel = Kernel(text, {})
    assert [(name, why.split(":")[0]) for name, why in refused(kernel)] == [("bad", "cannot load bad")]
    assert said(kernel, "good", "pt_regs") == ""
    kernel.close()
