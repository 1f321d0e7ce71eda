"""Live: loading, refusing, and taking everything away again."""

from pathlib import Path

import pytest
from support.tls_server import libssl

from chaperone.agent.groups.layout import Group, GroupKey
from chaperone.agent.trace import kernel as module
from chaperone.agent.trace.kernel import Kernel
from chaperone.agent.trace.layout import Counters, Governed, Head
from chaperone.agent.trace.tracer import Tracer, TracerSettings
from chaperone.agent.trace.values import Attached

SMALL = TracerSettings(ring_pages=16)


def open_bpf() -> int:
    """How many BPF programs, maps and links and perf events this process holds."""
    names = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return sum("bpf" in name or "perf_event" in name for name in names)


@pytest.mark.kernel
def test_everything_is_gone_at_the_end() -> None:
    before = open_bpf()
    with Tracer(SMALL) as tracer:
        assert isinstance(tracer.attach(libssl()), Attached)
        assert open_bpf() > before + 12
    assert open_bpf() == before


@pytest.mark.kernel
def test_text_that_does_not_compile_is_an_error_that_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="cannot compile the BPF programs"):
        Kernel('#line 7 "broken.c"\nint f(void) { return nothing; }\n', {})
    assert "broken.c:7" in capfd.readouterr().err


@pytest.mark.kernel
def test_a_program_that_the_verifier_refuses_is_an_error_that_names_it() -> None:
    kernel = Kernel('int forever(void *ctx) { for (;;) asm volatile(""); return 0; }', {})
    with pytest.raises(OSError, match="cannot load forever"):
        kernel.load_uprobe("forever")
    kernel.close()


@pytest.mark.kernel
def test_a_mirror_of_another_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.MIRRORS, "tls", Head)
    with pytest.raises(RuntimeError, match="struct tls has 72 bytes"), Tracer(SMALL):
        pass


@pytest.mark.kernel
def test_maps_are_read_and_written() -> None:
    with Tracer(SMALL) as tracer:
        kernel = tracer.kernel
        kernel.store("governed", Governed(7))
        stored = kernel.entry("governed", Governed)
        assert stored is not None
        assert stored.count == 7
        counters = kernel.entry("counters", Counters)
        assert counters is not None
        assert list(kernel.entries("streams", Head)) == []
        key, group = GroupKey(7), Group(3, 1)
        assert not kernel.replace("groups", group, key) and kernel.entry("groups", Group, key) is None
        assert kernel.insert("groups", group, key) and not kernel.insert("groups", group, key)
        assert kernel.replace("groups", Group(4, 1), key) and kernel.entry("groups", Group, key).slot == 4
        with pytest.raises(OSError, match=r"cannot set governed\[5\]"):
            kernel.store("governed", Governed(), key=5)
