"""Functions as Go's compiler writes them for amd64, byte by byte."""

SMALL_FRAME = bytes.fromhex(
    "493b6610"  # cmp rsp, [r14+0x10]
    "760f"  # jbe grow
    "55"  # push rbp
    "4889e5"  # mov rbp, rsp
    "4883ec18"  # sub rsp, 0x18
    "c9"  # leave
    "85c0"  # test eax, eax
    "90"  # nop
    "c3"  # ret
    "31c0"  # xor eax, eax
    "5d"  # pop rbp
    "c3"  # ret
    "ebe7"  # grow: jmp to the start
    "cccccc"  # padding
)
LARGE_FRAME = bytes.fromhex(
    "4c8da42478ffffff"  # lea r12, [rsp-0x88]
    "4d3b6610"  # cmp r12, [r14+0x10]
    "0f860a000000"  # jbe grow
    "55"  # push rbp
    "4889e5"  # mov rbp, rsp
    "31c0"  # xor eax, eax
    "90"  # nop
    "90"  # nop
    "5d"  # pop rbp
    "c3"  # ret
    "ebe2"  # grow: jmp to the start
)
