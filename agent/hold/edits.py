"""What can be done with a thread that is held at a TLS call: by its registers, in the tracer's thread.

`held` is the kernel's record of the call (bpf/hold_event.h). At SITE_WRITE and SITE_OWED the function has just been entered, at the
other two its return is being left: the stack pointer already is its caller's, or (C, Linux 6.11 and later) the thread still is in the
kernel's trampoline, which has three words on the stack, the last of them its caller's address. OpenSSL: System V; `call.length` is where
the length is reported, 0 if it is returned. Go: register ABI, results in ax (n), bx and cx (error).
"""

import struct

from chaperone.agent.gate import memory
from chaperone.agent.hold import ptrace
from chaperone.agent.hold.layout import HeldRecord

OPENSSL, GO = 1, 2
FAILED = 2**64 - 1  # -1: SSL_get_error then says SSL_ERROR_SYSCALL


def is_go(held: HeldRecord) -> bool:
    """Whether the call is Go's."""
    return bool(held.library == GO)


def skip(held: HeldRecord, result: int, exit_address: int) -> None:
    """Leave the function at once as if it had moved `result` bytes.

    Through its return probe, which counts it: in C the return address is the kernel's trampoline; in Go we go to one of
    the function's own RET instructions (`exit_address`).
    """
    registers = ptrace.registers(held.tid)
    registers.rsp = held.call.stack
    registers.rip = exit_address
    if not is_go(held):
        registers.rip, registers.rsp = _word(held.key.pid, held.call.stack), held.call.stack + 8
    _set_result(registers, held, result)
    ptrace.set_registers(held.tid, registers)


def fail(held: HeldRecord, exit_address: int) -> None:
    """Leave it as failed, nothing moved. Go: 0 bytes and no error, which its callers call a short write."""
    skip(held, 0, exit_address)
    if not is_go(held):
        registers = ptrace.registers(held.tid)
        registers.rax = 0 if _reported_at(held) else FAILED
        ptrace.set_registers(held.tid, registers)


def substitute(held: HeldRecord, address: int, size: int) -> None:
    """The call will write `size` bytes at `address` instead; its caller's buffer stays as it is."""
    registers = ptrace.registers(held.tid)
    if is_go(held):
        registers.rbx, registers.rcx, registers.rdi = address, size, size
    else:
        registers.rsi, registers.rdx = address, size
    ptrace.set_registers(held.tid, registers)


def report(held: HeldRecord, result: int) -> None:
    """At a return: the caller reads `result` as the length."""
    registers = ptrace.registers(held.tid)
    _set_result(registers, held, result)
    ptrace.set_registers(held.tid, registers)


def repeat(held: HeldRecord, address: int, size: int) -> None:
    """At a return: call the function again with another buffer; who called it learns nothing of it."""
    registers, call = ptrace.registers(held.tid), held.call
    caller = registers.rip
    if is_go(held):
        registers.rsp -= 8  # not the entry's: a goroutine's stack may have moved since
    else:
        caller = caller if registers.rsp == call.stack + 8 else _word(held.key.pid, call.stack)
        registers.rsp = call.stack
    memory.write(held.key.pid, registers.rsp, struct.pack("<Q", caller))
    registers.rip = call.ip
    if is_go(held):
        registers.rax, registers.rbx, registers.rcx, registers.rdi = call.handle, address, size, size
    else:
        registers.rdi, registers.rsi, registers.rdx, registers.rcx = call.handle, address, size, _reported_at(held)
        registers.r8 = 0  # GnuTLS: no padding in rcx, no flags
    ptrace.set_registers(held.tid, registers)


def again(held: HeldRecord) -> None:
    """At a read's return: drop what came and read on."""
    wipe(held)
    repeat(held, held.call.buffer, held.call.size)


def answer(held: HeldRecord, data: bytes) -> None:
    """At a read's return: the caller sees `data`, at most `call.size` bytes of it."""
    memory.write(held.key.pid, held.call.buffer, data.ljust(held.size, b"\0"))
    report(held, len(data))


def wipe(held: HeldRecord) -> None:
    """Nothing of what was decrypted stays in the caller's buffer."""
    memory.write(held.key.pid, held.call.buffer, bytes(held.size))


def _set_result(registers: ptrace.Registers, held: HeldRecord, result: int) -> None:
    if is_go(held):
        registers.rax, registers.rbx, registers.rcx = result, 0, 0
    elif address := _reported_at(held):
        memory.write(held.key.pid, address, struct.pack("<Q", result))
        registers.rax = 1
    else:
        registers.rax = result


def _reported_at(held: HeldRecord) -> int:
    return int(held.call.length) if held.library == OPENSSL else 0


def _word(pid: int, address: int) -> int:
    found: int = struct.unpack("<Q", memory.read(pid, address, 8))[0]
    return found
