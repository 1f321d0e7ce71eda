"""Where SSL_write_ex and SSL_write, SSL_read_ex and SSL_read meet: the internal function that both call.

OpenSSL 1.1 to 3.1 build `SSL_write_ex` as `sub rsp, 8; call ssl_write_internal`, the arguments untouched, and `SSL_write`
calls the same (ssl/ssl_lib.c). That function begins with `push`, which the kernel emulates; a probe on `sub rsp` is
single-stepped, 10 us instead of 1. Nothing is guessed: unless the code says all this, the exported functions are probed.
"""

from capstone import CS_ARCH_X86, CS_MODE_64, Cs

from chaperone.agent.probe.elf import Elf

HEAD = 64  # bytes of a function in which its call must come
FORWARDS = (["sub", "call"], ["endbr64", "sub", "call"])
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


def _listing(elf: Elf, address: int) -> list[tuple[str, str]]:
    """(mnemonic, operands) of a function's first instructions."""
    code = elf.read(elf.offset_of(address), HEAD)
    return [(mnemonic, operands) for _at, _size, mnemonic, operands in Cs(CS_ARCH_X86, CS_MODE_64).disasm_lite(code, address)]
