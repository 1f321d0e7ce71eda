"""Which functions of a file are probed, where, and by which BPF programs."""

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from chaperone.agent.probe.elf import Elf, UnreadableError
from chaperone.agent.probe.forward import forwarded, jumps_to
from chaperone.agent.probe.gopclntab import Function, GoTable, go_table
from chaperone.agent.probe.prologue import places

# exported function → program at its entry, program at its return ("": none)
OPENSSL = {
    "SSL_write": ("on_ssl_write_entry", "on_ssl_return"),
    "SSL_write_ex": ("on_ssl_write_ex_entry", "on_ssl_return"),
    "SSL_read": ("on_ssl_read_entry", "on_ssl_return"),
    "SSL_read_ex": ("on_ssl_read_ex_entry", "on_ssl_return"),
    "SSL_write_early_data": ("on_ssl_early_entry", "on_ssl_early_return"),
    "SSL_sendfile": ("on_ssl_sendfile_entry", "on_ssl_sendfile_return"),
    "SSL_free": ("on_ssl_free_entry", ""),
    "SSL_do_handshake": ("on_ssl_handshake_entry", ""),
    "SSL_connect": ("on_ssl_handshake_entry", ""),
}
OPENSSL_NEEDS = frozenset({"SSL_write", "SSL_read", "SSL_free"})
GNUTLS = {
    "gnutls_record_send": ("on_gnutls_send_entry", "on_gnutls_send_return"),
    "gnutls_record_send2": ("on_gnutls_send_entry", "on_gnutls_send_return"),
    "gnutls_record_send_range": ("on_gnutls_send_entry", "on_gnutls_send_return"),
    "gnutls_record_send_early_data": ("on_gnutls_send_entry", "on_gnutls_early_return"),
    "gnutls_record_recv": ("on_gnutls_receive_entry", "on_gnutls_receive_return"),
    "gnutls_record_recv_seq": ("on_gnutls_receive_entry", "on_gnutls_receive_return"),
    "gnutls_record_recv_packet": ("on_gnutls_receive_entry", "on_gnutls_packet_return"),
    "gnutls_record_cork": ("on_gnutls_cork_entry", ""),
    "gnutls_record_uncork": ("on_gnutls_uncork_entry", ""),
    "gnutls_deinit": ("on_gnutls_deinit_entry", ""),
    "gnutls_handshake": ("on_ssl_handshake_entry", ""),
}
GNUTLS_NEEDS = frozenset({"gnutls_record_send", "gnutls_record_recv", "gnutls_deinit"})
GO = {
    "crypto/tls.(*Conn).Write": ("on_go_write_entry", "on_go_write_return"),
    "crypto/tls.(*Conn).Read": ("on_go_read_entry", "on_go_read_return"),
    "crypto/tls.(*Conn).Close": ("on_go_close_entry", ""),
    "crypto/tls.(*Conn).clientHandshake": ("on_go_handshake_entry", ""),
}
GO_NEEDS = frozenset({"crypto/tls.(*Conn).Write", "crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).Close"})


class Point(NamedTuple):
    """One probe: `program` runs at file offset `offset`, or (at_return) when the function there returns."""

    function: str
    program: str
    offset: int
    at_return: bool = False


def points(fd: int) -> tuple[Point, ...]:
    """The probes of an opened file, returns first: a return without its entry is counted, the opposite would be silent.

    UnreadableError, with a sentence, when there is nothing that we could probe.
    """
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise UnreadableError("not a regular file")
    elf = Elf(fd)
    found = [*_openssl(elf), *_gnutls(elf), *_go(elf)]
    if not found:
        raise UnreadableError("no TLS functions that we know")
    return tuple(sorted(found, key=lambda point: not point.program.endswith("_return")))


def _openssl(elf: Elf) -> Iterator[Point]:
    functions = elf.functions(OPENSSL)
    if not functions.keys() >= OPENSSL_NEEDS:
        return
    for name, address in _met(elf, functions).items():
        yield from _pair(name, OPENSSL[name], elf.offset_of(address))


def _pair(name: str, programs: tuple[str, str], offset: int) -> Iterator[Point]:
    entry, at_return = programs
    yield Point(name, entry, offset)
    if at_return:
        yield Point(name, at_return, offset, at_return=True)


def _met(elf: Elf, functions: dict[str, int]) -> dict[str, int]:
    """Where two functions do nothing but call a third one, that one, under the name whose arguments it has."""
    for ex_name, name in (("SSL_write_ex", "SSL_write"), ("SSL_read_ex", "SSL_read")):
        if ex_name in functions and (inner := forwarded(elf, functions[ex_name], functions[name])):
            functions = {**functions, ex_name: inner}
            del functions[name]
    return functions


def _gnutls(elf: Elf) -> Iterator[Point]:
    """Since 3.6.3 gnutls_record_send does nothing but go on in gnutls_record_send2: two probes there would count twice."""
    functions = elf.functions(GNUTLS)
    if not functions.keys() >= GNUTLS_NEEDS:
        return
    if jumps_to(elf, functions["gnutls_record_send"], functions.get("gnutls_record_send2", 0)):
        del functions["gnutls_record_send"]
    for name, address in functions.items():
        yield from _pair(name, GNUTLS[name], elf.offset_of(address))


def _go(elf: Elf) -> Iterator[Point]:
    table = go_table(elf)
    if table is None:
        return
    functions = _tls_functions(table)
    for name, function in functions.items():
        found = places(elf.read(elf.offset_of(function.begin), function.end - function.begin), function.begin)
        entry, at_return = GO[name]
        yield Point(name, entry, elf.offset_of(found.entry))
        if at_return:
            yield from (Point(name, at_return, elf.offset_of(address)) for address in found.returns)


def _tls_functions(table: GoTable) -> dict[str, Function]:
    functions = {name: found for name in GO if (found := table.find(name))}
    if functions and not functions.keys() >= GO_NEEDS:
        raise UnreadableError(f"Go's crypto/tls without {', '.join(sorted(GO_NEEDS - functions.keys()))}")
    return functions
