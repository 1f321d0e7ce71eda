/* The kernel's helpers by number: calls by name bcc turns into bpf_probe_read where it finds no addresses in /proc/kallsyms, as
 * without CAP_SYSLOG, and packets' programs may not call that. bpf(2), since 5.5. */

static long (*read_user)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_user;
static long (*read_kernel)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel;
static long (*read_kernel_str)(void *to, u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel_str;

/* A field of a kernel struct; the offsets come from the kernel's own BTF as -D flags (agent/trace/btf.py). */
static u64 read_kernel_u64(u64 base, u32 offset) {
  u64 value = 0;
  read_kernel(&value, sizeof(value), (void *)(base + offset));
  return value;
}
static u32 read_kernel_u32(u64 base, u32 offset) {
  u32 value = 0;
  read_kernel(&value, sizeof(value), (void *)(base + offset));
  return value;
}
