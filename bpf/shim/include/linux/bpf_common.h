/* Classic BPF's instruction fields, on which <bcc/bpf.h> builds (see the kernel's include/uapi/linux/bpf_common.h). */
#ifndef SHIM_LINUX_BPF_COMMON_H
#define SHIM_LINUX_BPF_COMMON_H
#define BPF_CLASS(code) ((code) & 7)
enum { BPF_LD, BPF_LDX, BPF_ST, BPF_STX, BPF_ALU, BPF_JMP, BPF_RET };
enum { BPF_W = 0x00, BPF_H = 0x08, BPF_B = 0x10 };
enum { BPF_IMM = 0x00, BPF_ABS = 0x20, BPF_IND = 0x40, BPF_MEM = 0x60 };
enum { BPF_K = 0x00, BPF_X = 0x08 };
#endif
