"""Maps and programs of compiled bytecode into the kernel: bpf(2), linux/bpf.h. Each lives until its descriptor is closed."""

import ctypes
import errno
import os
import resource

from chaperone.agent.gate.maps import bpf
from chaperone.agent.trace.bytecode import SIZE, MapShape

MAP_CREATE, PROG_LOAD = 0, 5
KPROBE, CGROUP_SKB, RAW_TRACEPOINT, CGROUP_SOCK_ADDR = 2, 8, 17, 18  # BPF_PROG_TYPE_*
NAME_LIMIT = 15
LOG_SIZE, LOG_TOLD = 16 << 20, 500  # bytes: of what the verifier says, and of its end, which says why
LICENSE = b"GPL"  # the helpers that read memory ask for it


class _Map(ctypes.Structure):
    """The part of union bpf_attr that makes a map."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("kind", "key_size", "value_size", "entries", "flags", "inner", "numa")),
        ("name", ctypes.c_char * 16),
    )


class _Program(ctypes.Structure):
    """The part of union bpf_attr that loads a program."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("kind", "count")),
        *((name, ctypes.c_uint64) for name in ("instructions", "license")),
        *((name, ctypes.c_uint32) for name in ("log_level", "log_size")),
        ("log", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("version", "flags")),
        ("name", ctypes.c_char * 16),
        *((name, ctypes.c_uint32) for name in ("interface", "attach_type")),
    )


def make_map(shape: MapShape) -> int:
    """Its descriptor. OSError when the kernel refuses it."""
    name = shape.name[:NAME_LIMIT].encode()
    attributes = _Map(shape.kind, shape.key_size, shape.value_size, shape.entries, shape.flags, name=name)
    made = bpf(MAP_CREATE, attributes)
    if made < 0 and ctypes.get_errno() == errno.EPERM:  # before 5.11, maps are locked memory of their maker
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        made = bpf(MAP_CREATE, attributes)
    if made < 0:
        raise OSError(ctypes.get_errno(), f"cannot make the BPF map {shape.name}: {os.strerror(ctypes.get_errno())}")
    return made


def load_program(name: str, code: bytes, kind: int, attach_type: int = 0) -> int:
    """Its descriptor. OSError, with the end of what the verifier says, when the kernel refuses it."""
    instructions, license_ = ctypes.create_string_buffer(code), ctypes.create_string_buffer(LICENSE)
    wanted = _Program(kind, len(code) // SIZE, ctypes.addressof(instructions), ctypes.addressof(license_), attach_type=attach_type)
    wanted.name = name[:NAME_LIMIT].encode()
    loaded = bpf(PROG_LOAD, wanted)
    if loaded < 0:
        reason, log = ctypes.get_errno(), ctypes.create_string_buffer(LOG_SIZE)
        wanted.log_level, wanted.log_size, wanted.log = 1, LOG_SIZE, ctypes.addressof(log)
        loaded = bpf(PROG_LOAD, wanted)
        if loaded < 0:
            said = log.value.decode(errors="replace")[-LOG_TOLD:].strip()
            raise OSError(reason, f"cannot load {name}: {said or os.strerror(reason)}")
    return loaded
