/* The connect gate: a thread whose program's files were not looked into stops before its connect returns.
 *
 * It stops by its tracer's doing: the agent is woken, seizes the thread and interrupts it, while the thread waits here for
 * that to be pending (a fraction of a millisecond). Then it traps on its way out of the kernel: no signal is sent, no
 * parent, shell or other thread sees anything, and when its tracer dies, it runs on. If the agent does not come in time, SIGSTOP
 * is sent to this thread, which does stop the whole process and is seen by its parent; never where a terminal's shell may be
 * that parent. There the thread goes on, and the agent says so unless it still catches it before it left the system call: it
 * mostly does, since what keeps it away is this very processor. */

/* To the doorkeeper (agent/gate/doorkeeper.py), so that bulk data cannot delay them. */
BPF_RINGBUF_OUTPUT(gates, 64);

/* Image -> pages of executable mappings when its files were looked into; by the agent, and copied to forked children.
 * More or fewer pages: something was mapped since. LRU: ends are not told. */
BPF_TABLE("lru_hash", struct image, u64, looked, 16384);

/* Thread -> its process, while a SIGSTOP of ours is out (0: about to be sent); from here until the doorkeeper resumed it. */
BPF_HASH(halted, struct thread, struct thread, 1024);

/* 0 -> counts, written here; whether it is open, written by the doorkeeper when the agent is gone. */
BPF_ARRAY(gate_state, struct gate_state, 1);

/* What a turn of the wait below copies onto itself: it makes the turns longer. */
struct idle {
  u8 bytes[32768]; /* the most that a processor's own value may have */
};
BPF_PERCPU_ARRAY(idle, struct idle, 1);

/* Never filled, as those of maps.h. */
BPF_ARRAY(layout_gate, struct gate, 1);
BPF_ARRAY(layout_gate_read, struct gate_read, 1);

#define TRAP_STOP (1 << 19) /* JOBCTL_TRAP_STOP: include/linux/sched/jobctl.h, the same since 3.1 */
#define TURNS 2500
#define WAIT_NS 5000000ULL
#define TERMINAL_WAIT_NS 20000000ULL
#define STOP_SIGNAL 19
#define SYN_SENT 2
#define STREAM 1

static u64 code_of(u64 task) { return read_kernel_u64(read_kernel_u64(task, TASK_MM), MM_EXEC_VM); }

static struct image image_of(struct head *head) {
  struct image image = {head->started, head->pid, head->image};
  return image;
}

/* Whether there is a record for the agent; then, and only then, somebody will come. */
static int tell_gate(u64 task, struct head *head, u64 code) {
  struct gate *gate = gates.ringbuf_reserve(sizeof(*gate));
  if (!gate) return 0;
  gate->head = *head;
  gate->code = code;
  gate->thread = thread_number(task);
  gate->pad = 0;
  gates.ringbuf_submit(gate, BPF_RB_FORCE_WAKEUP);
  return 1;
}

/* Turn until the tracer's trap is pending; 0: it did not come in time. Fewer threads than there are processors do so at
 * once, or the agent could not come at all.
 *
 * What we would like: as many turns as WAIT_NS takes. The verifier keeps one way out of each turn in mind, 8192 at most ("the
 * sequence of 8193 jumps is too complex", 6.18): hence few turns, long ones, and one way out of each. */
static int await_tracer(u64 task, struct gate_state *state, u64 limit) {
  u32 zero = 0;
  struct idle *spare = idle.lookup(&zero);
  if (!spare || state->waiting >= SPINNERS) return 0;
  __sync_fetch_and_add(&state->waiting, 1);
  u64 end = bpf_ktime_get_ns() + limit, trap = 0;
  for (int i = 0; i < TURNS; i++) {
    trap = read_kernel_u64(task, TASK_JOBCTL) & TRAP_STOP;
    if (trap | (bpf_ktime_get_ns() - end) >> 63 ^ 1) break;
    read_kernel(spare, sizeof(*spare), spare);
    read_kernel(spare, sizeof(*spare), spare);
  }
  __sync_fetch_and_add(&state->waiting, -1);
  return !!trap;
}

/* The entry is there before the signal, since it may find no room; it names the process when the signal is out: from then on, and
 * not before, it can be taken back. This thread stops only when it leaves the kernel. */
static int halt(u32 process, u32 number) {
  struct thread thread = {number}, of = {};
  if (halted.update(&thread, &of)) return 0;
  if (bpf_send_signal_thread(STOP_SIGNAL)) {
    halted.delete(&thread);
    return 0;
  }
  of.number = process;
  halted.update(&thread, &of);
  return 1;
}

/* Whether the agent's own tracer (agent/hold) has this thread: then nobody but it sees our SIGSTOP, and no other may seize it. */
static int is_traced_by_us(u64 task, struct gate_state *state) {
  if (!read_kernel_u32(task, TASK_PTRACE)) return 0;
  return state->tracer && process_number(read_kernel_u64(task, TASK_PARENT)) == state->tracer;
}

/* Have the agent read `size` bytes at `from` while this thread stops at the end of its call: a real stop, hence not on a terminal.
 * (To wait for the tracer here, as at connect, the verifier would walk that loop from each way out of send's own.) 0: it cannot be. */
static int hold_to_read(struct tls *tls, u64 from, u64 size) {
  u32 zero = 0;
  u64 task = bpf_get_current_task();
  struct gate_state *state = gate_state.lookup(&zero);
  if (!state || !state->reads || state->is_open) return 0;
  if (read_kernel_u64(read_kernel_u64(task, TASK_SIGNAL), SIGNAL_TTY) && !is_traced_by_us(task, state)) return 0;
  struct gate_read *held = gates.ringbuf_reserve(sizeof(*held));
  if (!held) return 0;
  held->tls = *tls;
  held->tls.head.kind = KIND_GATE_READ;
  held->tls.size = size;
  held->tls.kept = 0;
  held->address = from;
  held->thread = thread_number(task);
  held->pad = 0;
  if (!halt(tls->head.pid, held->thread)) {
    gates.ringbuf_discard(held, BPF_RB_NO_WAKEUP);
    return 0;
  }
  gates.ringbuf_submit(held, BPF_RB_FORCE_WAKEUP);
  return 1;
}

static void count_connect_untold(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->connects, 1);
}

static void pass_gate(u32 slot) {
  u32 zero = 0;
  u64 task = bpf_get_current_task(), code = code_of(task);
  struct head head = head_of_task(task, KIND_GATE_CONNECT, slot);
  struct image image = image_of(&head);
  u64 *known = looked.lookup(&image);
  struct gate_state *state = gate_state.lookup(&zero);
  if (!state || state->is_open || (known && *known == code)) return;
  u64 terminal = read_kernel_u64(read_kernel_u64(task, TASK_SIGNAL), SIGNAL_TTY);
  if (!tell_gate(task, &head, code)) {
    count_connect_untold(slot);
    return;
  }
  if (!is_traced_by_us(task, state))
    if (await_tracer(task, state, terminal ? TERMINAL_WAIT_NS : WAIT_NS) || terminal || state->is_open) return;
  halt(head.pid, thread_number(task));
}

/* Of sockets created in a governed cgroup, before the first packet leaves. Kernels up to 6.12 let no such program send signals
 * ("unknown func", "cannot use helper"); there the next one is loaded instead. */
static int connects(struct bpf_sock_addr *ctx) {
  u32 slot = ctx->type == STREAM ? watched() : 0;
  if (slot) pass_gate(slot);
  return 1;
}
int on_connect4(struct bpf_sock_addr *ctx) { return connects(ctx); }
int on_connect6(struct bpf_sock_addr *ctx) { return connects(ctx); }

/* TP_PROTO(const struct sock *sk, const int oldstate, const int newstate): include/trace/events/sock.h. SYN_SENT is set inside
 * connect itself, by the thread that called it. */
int on_tcp_state(struct bpf_raw_tracepoint_args *ctx) {
  if (ctx->args[2] != SYN_SENT) return 0;
  u32 slot = watched();
  if (slot) pass_gate(slot);
  return 0;
}

static void tell_executed(u64 task, u32 slot) {
  struct head head = head_of_task(task, KIND_GATE_EXEC, slot);
  tell_gate(task, &head, code_of(task)); /* if it cannot be told, its connect will be */
}

/* A forked child has its parent's mappings. */
static void inherit_look(u64 parent, u64 child) {
  struct head of_parent = head_of_task(parent, 0, 0), of_child = head_of_task(child, 0, 0);
  struct image from = image_of(&of_parent), to = image_of(&of_child);
  u64 *known = looked.lookup(&from);
  if (!known) return;
  u64 code = *known;
  looked.update(&to, &code);
}
