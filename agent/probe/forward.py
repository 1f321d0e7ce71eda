"""Where two exported functions meet: SSL_write_ex and SSL_write, SSL_read_ex and SSL_read, gnutls_record_send and its successor.

OpenSSL 1.1 to 3.1 build `SSL_write_ex` as `sub rsp, 8; call ssl_write_internal`, the arguments untouched, and `SSL_write`
calls the same (ssl/ssl_lib.c). That function begins with `push`, which the kernel emulates; a probe on `sub rsp` is
single-stepped, 10 us instead of 1. Nothing is guessed: unless the code says all this, the exported functions are probed.
"""

from capstone import CS_ARCH_X86, CS_MODE_64, Cs

from chaperone.agent.probe.elf import Elf

HEAD = 64  # bytes of a function in which its call must come
FORWARDS = (["sub", "call"], ["endbr64", "sub", "call"])
FIRST = 6  # instructions: two arguments are set, then it goes on
LINKAGE = (".plt", ".plt.sec", ".plt.got")
EMULATED = ("push", "endbr64", "nop")


def forwarded(elf: Elf, ex_function: int, function: int) -> int | None:
    """The address of what `ex_function` does nothing but call, if `function` calls it too."""
    listing = _listing(elf, ex_function)
    names = [mnemonic for mnemonic, _operand in listing]
    target = next((operand for mnemonic, operand in listing if mnemonic == "call"), "")
    is_forward = any(names[: len(pattern)] == pattern for pattern in FORWARDS)
    if not is_forward or ("call", target) not in _listing(elf, function) or not target.startswith("0x"):
        return None
    inner = int(target, 16)
    return inner if _listing(elf, inner)[0][0] in EMULATED else None


def jumps_to(elf: Elf, function: int, target: int) -> bool:
    """Whether `function` ends at once by going on in `target`: there, or through the linker's table of exported functions."""
    for mnemonic, operand in _listing(elf, function)[:FIRST] if target else ():
        if mnemonic in ("jmp", "call") and operand.startswith("0x"):
            return int(operand, 16) == target or _is_linkage(elf, int(operand, 16))
    return False


def _is_linkage(elf: Elf, address: int) -> bool:
    tables = [found for name in LINKAGE if (found := elf.section(name))]
    return any(table.address <= address < table.address + table.size for table in tables)


def _listing(elf: Elf, address: int) -> list[tuple[str, str]]:
    """(mnemonic, operands) of a function's first instructions."""
    code = elf.read(elf.offset_of(address), HEAD)
    return [(mnemonic, operands) for _at, _size, mnemonic, operands in Cs(CS_ARCH_X86, CS_MODE_64).disasm_lite(code, address)]
