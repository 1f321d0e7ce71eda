/* Is this task watched, and who is it? */

/* The slot of the governed cgroup that the current task is in or below; 0 for everybody else.
 *
 * bpf_get_current_ancestor_cgroup_id would do without the loop, but uprobes may call it only since 5.17 or so
 * (5.10: "unknown func"); the cache makes the loop a matter of the first call in each cgroup. The epoch is read before
 * the loop: a verdict of a changed table is never taken for a new one. */
static u32 watched(void) {
  u32 zero = 0, slot = 0;
  u64 id = bpf_get_current_cgroup_id();
  struct governed *now = governed.lookup(&zero);
  if (!now || !now->slots) return 0;
  u64 epoch = now->epoch, slots = now->slots, *known = verdicts.lookup(&id);
  if (known && *known >> 16 == epoch) return *known & 0xffff;
  for (int i = 0; i < SLOTS && i < slots && !slot; i++)
    if (cgroups.check_current_task(i) == 1) slot = i + 1;
  u64 verdict = epoch << 16 | slot;
  verdicts.update(&id, &verdict);
  return slot;
}

/* A field of a kernel struct; the offsets come from the kernel's own BTF as -D flags (agent/trace/btf.py). */
static u64 read_kernel_u64(u64 base, u32 offset) {
  u64 value = 0;
  bpf_probe_read_kernel(&value, sizeof(value), (void *)(base + offset));
  return value;
}
static u32 read_kernel_u32(u64 base, u32 offset) {
  u32 value = 0;
  bpf_probe_read_kernel(&value, sizeof(value), (void *)(base + offset));
  return value;
}

static u64 started_of(u64 task) {
  return read_kernel_u64(read_kernel_u64(task, TASK_GROUP_LEADER), TASK_START_BOOTTIME);
}

static struct head head_of_task(u64 task, u32 kind, u32 slot) {
  struct head head = {};
  head.time = bpf_ktime_get_boot_ns();
  head.started = started_of(task);
  head.pid = read_kernel_u32(task, TASK_TGID);
  head.image = read_kernel_u32(task, TASK_SELF_EXEC_ID);
  head.kind = kind;
  head.workload = slot;
  return head;
}
