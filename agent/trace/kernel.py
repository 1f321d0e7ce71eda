"""Load BPF programs, attach them, read the ring, look into maps.

Probes are opened with perf_event_open and raw tracepoints, so tracefs need not be mounted; their descriptors are ours, and
closing them is all there is to removing them.
"""

import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from chaperone.agent.closing import Closer
from chaperone.agent.gate import layout as gate
from chaperone.agent.gate.maps import bpf
from chaperone.agent.groups import layout as groups
from chaperone.agent.hold import layout as hold
from chaperone.agent.sockets import layout as sockets
from chaperone.agent.trace import layout
from chaperone.agent.trace.bytecode import relinked
from chaperone.agent.trace.compiled import compiled
from chaperone.agent.trace.load import CGROUP_SKB, CGROUP_SOCK_ADDR, KPROBE, RAW_TRACEPOINT, load_program, make_map
from chaperone.agent.trace.uprobes import LINK_CREATE, UPROBE_MULTI, has_links, link

MAP_LAYOUTS = {  # map of bpf/maps.h → the structs of its key and value
    "layout_tls": (None, "tls"),
    "layout_closed": (None, "closed"),
    "layout_process": (None, "process"),
    "layout_socket_opened": (None, "socket_opened"),
    "layout_socket_tied": (None, "socket_tied"),
    "layout_socket_hello": (None, "socket_hello"),
    "layout_socket_closing": (None, "socket_closing"),
    "layout_socket_denied": (None, "socket_denied"),
    "layout_socket_answer": (None, "socket_answer"),
    "layout_group_seen": (None, "group_seen"),
    "layout_group_made": (None, "group_made"),
    "groups": (None, "group"),
    "layout_gate": (None, "gate"),
    "layout_gate_read": (None, "gate_read"),
    "looked": ("image", None),
    "halted": ("thread", "thread"),
    "gate_state": (None, "gate_state"),
    "flows": ("flow_key", "flow"),
    "datagrams": ("flow_key", "flow"),
    "streams": ("stream_key", "stream"),
    "counters": (None, "counters"),
    "taken": (None, "taken"),
    "governed": (None, "governed"),
    "calls": ("call_key", "call"),
    "layout_held": (None, "held"),
    "writing": (None, "pending"),
    "hold_positions": ("stream_key", "hold_from"),
    "noted": (None, "tally"),
    "let_go": (None, "tally"),
    "enforcing": (None, "enforcing"),
    "lock_state": (None, "lock_state"),
    "lock_workloads": (None, "lock_workload"),
    "released": ("object", "released"),
    "spent": ("object", "spent"),
}
MIRRORS = layout.MIRRORS | sockets.MIRRORS | gate.MIRRORS | groups.MIRRORS | hold.MIRRORS
NO_EXIST, EXIST = 1, 2  # BPF_NOEXIST, BPF_EXIST
RECORD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)  # as bcc calls back: context, address, size
Plain = ctypes.Structure | ctypes.c_uint32 | ctypes.c_uint64
Struct = TypeVar("Struct", bound=ctypes.Structure)


class Kernel:
    """One loaded BPF module. `text`: C as flatten() gives it; `defines`: -D flags by name."""

    def __init__(self, text: str, defines: dict[str, int]) -> None:
        from bcc import lib  # noqa: PLC0415  (of the distribution; where it is missing, requirements.py says so)

        self.lib: Any = lib
        self.defines = defines
        self.code = compiled(text, defines)
        self.maps = dict[str, int]()
        self.programs = dict[str, int]()
        self.descriptors: set[int] = set()
        self.closer = Closer()
        self.loading = {program: threading.Lock() for program in self.code.programs}  # the gate's threads load too
        self._ring: int | None = None
        try:
            for shape in self.code.maps:
                self.maps[shape.name] = make_map(shape)
        except OSError:
            self.close()
            raise

    def check_layout(self) -> None:
        """RuntimeError if the compiled programs lay the shared structs out otherwise than layout.py does."""
        shapes = {shape.name: shape for shape in self.code.maps}
        for name, expected in MAP_LAYOUTS.items():
            for mirror, size in zip(expected, (shapes[name].key_size, shapes[name].value_size), strict=True):
                if mirror and ctypes.sizeof(MIRRORS[mirror]) != size:
                    raise RuntimeError(f"struct {mirror} has {size} bytes in the kernel and another size in layout.py")

    def load_uprobe(self, program: str) -> int:
        """Load a uprobe program (once); its descriptor. OSError when the verifier refuses it."""
        return self._load(program, KPROBE, UPROBE_MULTI if has_links() else 0)

    def load_uprobes(self, programs: Iterable[str]) -> None:
        """Some, as far as the verifier takes them."""
        for program in programs:
            with suppress(OSError):
                self.load_uprobe(program)

    def attach_uprobes(self, program: str, path: str, offsets: Sequence[int], at_return: bool) -> list[int]:
        """Run `program` whenever any process reaches one of the file offsets (or returns from a function there), until `detach`."""
        loaded = self.load_uprobe(program)
        opened = [link(loaded, path, offsets, at_return)] if has_links() else list(self._probes(loaded, path, offsets, at_return))
        self.descriptors.update(opened)
        return opened

    def detach(self, descriptors: Sequence[int]) -> None:
        """Soon, these are closed: probes, and what was open for them."""
        self.descriptors.difference_update(descriptors)
        self.closer.close(descriptors)

    def attach_tracepoint(self, program: str, tracepoint: str) -> None:
        """Run `program` at a raw tracepoint."""
        self.descriptors.add(self.open_tracepoint(program, tracepoint))

    def open_tracepoint(self, program: str, tracepoint: str) -> int:
        """The same, until the result is closed."""
        loaded = self.load_tracepoint(program)
        opened = self.lib.bpf_attach_raw_tracepoint(loaded, tracepoint.encode())
        if opened < 0:
            raise OSError(ctypes.get_errno(), f"cannot attach to {tracepoint}")
        return int(opened)

    def load_tracepoint(self, program: str) -> int:
        """Load a program of a raw tracepoint; its descriptor."""
        return self._load(program, RAW_TRACEPOINT)

    def load_cgroup_skb(self, program: str) -> int:
        """Load a program that sees a cgroup's packets; its descriptor."""
        return self._load(program, CGROUP_SKB)

    def load_sock_addr(self, program: str, attach_type: int) -> int:
        """Load a program that sees a cgroup's calls of connect; its descriptor. OSError where it may not do what it wants."""
        return self._load(program, CGROUP_SOCK_ADDR, attach_type)

    def link_cgroup(self, program: int, cgroup: int, attach_type: int) -> int:
        """Run a loaded program at a cgroup's hook, by its open directory, beside what others attached; ends when the result is closed."""
        attributes = (ctypes.c_uint32 * 4)(program, cgroup, attach_type, 0)
        linked = bpf(LINK_CREATE, attributes)
        if linked < 0:
            raise OSError(ctypes.get_errno(), f"cannot attach to the cgroup's hook {attach_type}")
        return linked

    def open_ring(self, name: str, on_record: Callable[[int, int], bool]) -> None:
        """Call on_record(address, size) for each record; False ends the current `consume` early."""
        callback = RECORD(lambda _context, address, size: 0 if on_record(address, size) else -1)
        self._ring = self.lib.bpf_new_ringbuf(self.maps[name], callback, None)
        if not self._ring:
            raise OSError(ctypes.get_errno(), f"cannot read the ring {name}")
        self._on_record = callback  # as long as the ring

    def consume(self) -> None:
        """Take what is in the ring now."""
        self.lib.bpf_consume_ringbuf(self._ring)

    def wait(self, timeout_ms: int) -> None:
        """Wait until a program wakes us up, and take what is there; or until the time is over."""
        self.lib.bpf_poll_ringbuf(self._ring, timeout_ms)

    def entry(self, name: str, mirror: type[Struct], key: ctypes.Structure | int = 0) -> Struct | None:
        """The value of a map's key, or None."""
        value = mirror()
        at = ctypes.c_uint32(key) if isinstance(key, int) else key
        missing = self.lib.bpf_lookup_elem(self.maps[name], ctypes.byref(at), ctypes.byref(value))
        return None if missing else value

    def entries(self, name: str, key: type[Struct]) -> Iterator[Struct]:
        """The keys of a map, as far as they stay there while we look."""
        descriptor, at = self.maps[name], key()
        missing = self.lib.bpf_get_first_key(descriptor, ctypes.byref(at), ctypes.sizeof(at))
        while not missing:
            yield key.from_buffer_copy(at)
            missing = self.lib.bpf_get_next_key(descriptor, ctypes.byref(at), ctypes.byref(at))

    def store(self, name: str, value: Plain, key: ctypes.Structure | ctypes.c_uint64 | int = 0) -> None:
        """Set a key's value. OSError when the kernel refuses it."""
        at = ctypes.c_uint32(key) if isinstance(key, int) else key
        if self.lib.bpf_update_elem(self.maps[name], ctypes.byref(at), ctypes.byref(value), 0):
            raise OSError(ctypes.get_errno(), f"cannot set {name}[{key}]")

    def insert(self, name: str, value: ctypes.Structure, key: ctypes.Structure) -> bool:
        """Set the value of a new key; False when there is one already."""
        done = self.lib.bpf_update_elem(self.maps[name], ctypes.byref(key), ctypes.byref(value), NO_EXIST)
        if done and ctypes.get_errno() != errno.EEXIST:
            raise OSError(ctypes.get_errno(), f"cannot set {name}[{key}]")
        return not done

    def replace(self, name: str, value: ctypes.Structure, key: ctypes.Structure) -> bool:
        """Set the value of a key that is there; False when it is not."""
        done = self.lib.bpf_update_elem(self.maps[name], ctypes.byref(key), ctypes.byref(value), EXIST)
        if done and ctypes.get_errno() != errno.ENOENT:
            raise OSError(ctypes.get_errno(), f"cannot set {name}[{key}]")
        return not done

    def push(self, name: str, value: ctypes.Structure) -> None:
        """Put a value at the end of a queue. OSError when it is full."""
        if self.lib.bpf_update_elem(self.maps[name], None, ctypes.byref(value), 0):
            raise OSError(ctypes.get_errno(), f"cannot put something into {name}")

    def remove(self, name: str, key: ctypes.Structure | int) -> bool:
        """Delete a key; whether it was there."""
        at = ctypes.c_uint32(key) if isinstance(key, int) else key
        return not self.lib.bpf_delete_elem(self.maps[name], ctypes.byref(at))

    def close(self) -> None:
        """Remove every probe and map."""
        self.closer.close(self.descriptors)
        self.descriptors.clear()
        self.closer.finish()
        if self._ring:
            self.lib.bpf_free_ringbuf(self._ring)
            self._ring = None
        for descriptor in (*self.maps.values(), *self.programs.values()):
            os.close(descriptor)
        self.maps.clear()
        self.programs.clear()

    def descriptor(self, name: str) -> int:
        """Of a map."""
        return self.maps[name]

    def _load(self, program: str, kind: int, attach_type: int = 0) -> int:
        with self.loading[program]:
            if program not in self.programs:
                code = relinked(self.code.programs[program], dict(enumerate(self.maps.values())))
                self.programs[program] = load_program(program, code, kind, attach_type)
            return self.programs[program]

    def _probes(self, program: int, path: str, offsets: Sequence[int], at_return: bool) -> Iterator[int]:
        """A perf event for each place. Nothing stays open if one of them cannot be."""
        opened = list[int]()
        for offset in offsets:
            event = f"{program}_{offset:x}".encode()
            opened.append(self.lib.bpf_attach_uprobe(program, int(at_return), event, path.encode(), offset, -1, 0))
            if opened[-1] < 0:
                self.closer.close(opened[:-1])
                raise OSError(ctypes.get_errno(), f"cannot probe {path} at {offset:#x}")
        yield from opened
