"""`python -m chaperone.agent.trace.compiler`: C on stdin, bytecode on stdout, in a process whose memory ends with it.

bcc compiles on the node with clang, against the headers of bpf/shim instead of the kernel's. It makes the maps as it compiles and
writes their descriptors into the bytecode; we tell which map is meant instead, and who loads it makes his own.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from importlib.resources import as_file, files
from typing import Any

import msgpack

from chaperone.agent.trace.bytecode import Bytecode, MapShape, relinked

# No debug information, and clang leaves optimising to bcc, which does it again whatever clang did: a third of the time it takes.
FLAGS = ("-Wno-macro-redefined", "-Wno-unused-value", "-g0", "-Xclang", "-disable-llvm-passes")


def version() -> str:
    """Of bcc."""
    from bcc import __version__  # noqa: PLC0415  (of the distribution; where it is missing, requirements.py says so)

    return str(__version__)


def main() -> int:
    """1 if it does not compile; clang has then said why on stderr."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who asked may be gone when we answer
    try:
        text, defines = msgpack.unpackb(sys.stdin.buffer.read())
    except ValueError:  # or have been killed while he asked
        return 1
    flags = [*FLAGS, *(f"-D{name}={value}" for name, value in defines.items())]
    with as_file(files("chaperone.bpf") / "shim") as shim:
        os.environ["BCC_KERNEL_SOURCE"] = str(shim)
        from bcc import BPF, lib  # noqa: PLC0415  (of the distribution; where it is missing, requirements.py says so)

        try:
            module = BPF(text=text.encode(), cflags=flags).module
        except Exception as error:  # noqa: BLE001  (bcc raises nothing narrower)
            print(error, file=sys.stderr)  # noqa: T201
            return 1
    _declare(lib)
    numbers = range(lib.bpf_num_tables(module))
    places = {lib.bpf_table_fd_id(module, number): number for number in numbers}
    programs = {name: relinked(code, places) for name, code in _programs(lib, module)}
    sys.stdout.buffer.write(Bytecode(tuple(_shape(lib, module, number) for number in numbers), programs).packed())
    return 0


def _declare(lib: Any) -> None:
    """What bcc's module for Python leaves out (bcc_common.h): an int would be cut to 32 bits."""
    for function in (lib.bpf_table_fd_id, lib.bpf_table_name, lib.bpf_table_key_size_id, lib.bpf_table_leaf_size_id):
        function.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    lib.bpf_num_tables.argtypes = (ctypes.c_void_p,)
    lib.bpf_table_name.restype = ctypes.c_char_p
    for function in (lib.bpf_num_tables, lib.bpf_table_key_size_id, lib.bpf_table_leaf_size_id):
        function.restype = ctypes.c_size_t


def _shape(lib: Any, module: int, number: int) -> MapShape:
    return MapShape(
        name=lib.bpf_table_name(module, number).decode(),
        kind=lib.bpf_table_type_id(module, number),
        key_size=lib.bpf_table_key_size_id(module, number),
        value_size=lib.bpf_table_leaf_size_id(module, number),
        entries=lib.bpf_table_max_entries_id(module, number),
        flags=lib.bpf_table_flags_id(module, number),
    )


def _programs(lib: Any, module: int) -> Iterator[tuple[str, bytes]]:
    for number in range(lib.bpf_num_functions(module)):
        name = lib.bpf_function_name(module, number)
        yield name.decode(), ctypes.string_at(lib.bpf_function_start(module, name), lib.bpf_function_size(module, name))


if __name__ == "__main__":
    sys.exit(main())
