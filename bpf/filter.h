/* Is this task watched, and who is it? */

static u64 started_of(u64 task) {
  return read_kernel_u64(read_kernel_u64(task, TASK_GROUP_LEADER), TASK_START_BOOTTIME);
}

static struct head head_of_task(u64 task, u32 kind, u32 slot) {
  struct head head = {};
  head.time = bpf_ktime_get_boot_ns();
  head.started = started_of(task);
  head.pid = process_number(task);
  head.image = read_kernel_u32(task, TASK_SELF_EXEC_ID);
  head.kind = kind;
  head.workload = slot;
  return head;
}

/* The same of the current task, for uprobes. Four calls of bpf_probe_read_kernel are a tenth of what a TLS call costs; the verifier
 * knows what this helper returns, and lets it be read as it is (5.11; "unknown func" before). */
#if defined(FETCH_IS_REFUSED) || defined(PID_NAMESPACE)
static struct head head_of_current(u64 time, u32 kind, u32 slot) {
  struct head head = head_of_task(bpf_get_current_task(), kind, slot);
  head.time = time;
  return head;
}
#else
#define TYPED_READ(type, base, offset)                                                                          \
  ({                                                                                                             \
    u64 _value;                                                                                                  \
    asm volatile("%0 = *(" #type " *)(%1 + %2)" : "=r"(_value) : "r"(base), "i"(offset));                        \
    _value;                                                                                                      \
  })

static struct head head_of_current(u64 time, u32 kind, u32 slot) {
  struct head head = {};
  u64 task = (u64)bpf_get_current_task_btf();
  head.time = time;
  head.started = TYPED_READ(u64, TYPED_READ(u64, task, TASK_GROUP_LEADER), TASK_START_BOOTTIME);
  head.pid = bpf_get_current_pid_tgid() >> 32;
  head.image = TYPED_READ(u32, task, TASK_SELF_EXEC_ID);
  head.kind = kind;
  head.workload = slot;
  return head;
}
#endif

/* The slot of a cgroup; 0: none. */
static u32 slot_in(struct group *group) { return group->slot <= SLOTS ? group->slot : 0; }

static void count_event_lost(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->events, 1);
}

static void tell_group(u32 kind, u64 id, u32 slot) {
  struct group_seen seen = {};
  seen.head = head_of_task(bpf_get_current_task(), kind, slot);
  seen.id = id;
  if (events.ringbuf_output(&seen, sizeof(seen), BPF_RB_FORCE_WAKEUP)) count_event_lost(0);
}

/* Give a cgroup of an area a slot of its own; 0: there is none left. */
static u32 claim(u64 id) {
  u32 slot = 0;
  if (spare.pop(&slot)) {
    count_event_lost(0);
    return 0;
  }
  if (claimed.insert(&id, &slot)) {
    spare.push(&slot, 0);
    u32 *theirs = claimed.lookup(&id);
    return theirs ? *theirs : 0;
  }
  struct group group = {slot, 1};
  groups.update(&id, &group);
  tell_group(KIND_GROUP_ENTERED, id, slot);
  return slot;
}

/* The slot of the governed cgroup that the current task is in; 0 for everybody else. */
static u32 watched(void) {
  u64 id = bpf_get_current_cgroup_id();
  struct group *group = groups.lookup(&id);
  if (!group) return 0;
  return group->slot == AREA ? claim(id) : slot_in(group);
}
