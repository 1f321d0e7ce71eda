/* Processes of governed workloads: begin, become another program, end. Raw tracepoints, which need no tracefs. */

static struct process process_of(u64 task, u32 kind, u32 slot) {
  struct process process = {};
  u64 parent = read_kernel_u64(task, TASK_REAL_PARENT);
  process.head = head_of_task(task, kind, slot);
  process.parent = process_number(parent);
  process.parent_started = started_of(parent);
  process.uid = bpf_get_current_uid_gid();
  return process;
}

static void tell_process(struct process *process, u32 slot) {
  if (!tell(process, sizeof(*process), slot)) count_event_lost(slot);
}

#define DEPTH 64 /* folders and mounts of a path */

/* The working directory, as the kernel's d_path() walks it, up to the root of the mount namespace. /proc tells no more of it when a
 * process has lived a millisecond. How far it got is kept in the record: of what the verifier reads there it knows nothing, so
 * that each turn is the same to it; in a register each turn doubled the ways through (6.18). */
static void copy_folder(u64 task, struct exec *exec) {
  u64 pwd = read_kernel_u64(task, TASK_FS) + FS_PWD;
  u64 entry = read_kernel_u64(pwd, PATH_DENTRY), mount = read_kernel_u64(pwd, PATH_MNT) - MOUNT_MNT;
  volatile u32 *size = &exec->process.folder;
  *size = 0;
  for (int i = 0; i < DEPTH; i++) {
    u64 above = read_kernel_u64(entry, DENTRY_D_PARENT);
    if (entry == read_kernel_u64(mount + MOUNT_MNT, VFSMOUNT_MNT_ROOT)) {
      above = read_kernel_u64(mount, MOUNT_MNT_PARENT);
      if (above == mount) return;
      entry = read_kernel_u64(mount, MOUNT_MNT_MOUNTPOINT);
      mount = above;
      continue;
    }
    u32 at = *size;
    if (at >= FOLDER_LIMIT || above == entry) break;
    long added = read_kernel_str(exec->folder + at, NAME_LIMIT, (void *)read_kernel_u64(entry, DENTRY_D_NAME + QSTR_NAME));
    if (added <= 0) break;
    *size = at + added;
    entry = above;
  }
  *size = NOT_WHOLE;
}

/* TP_PROTO(struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm): include/trace/events/sched.h.
 * argv is what the new program finds on its stack, just written there by the kernel. */
int on_exec(struct bpf_raw_tracepoint_args *ctx) {
  u32 slot = watched();
  if (!slot) return 0;
  u64 task = ctx->args[0], mm = read_kernel_u64(task, TASK_MM);
  tell_executed(task, slot);
  u64 argv = read_kernel_u64(mm, MM_ARG_START), size = read_kernel_u64(mm, MM_ARG_END) - argv;
  struct exec *exec = may_tell(slot) ? events.ringbuf_reserve(sizeof(*exec)) : 0;
  if (!exec) {
    count_event_lost(slot);
    return 0;
  }
  exec->process = process_of(task, KIND_EXEC, slot);
  exec->process.size = size;
  u64 kept = size < ARGV_LIMIT ? size : ARGV_LIMIT - 1;
  asm volatile("%0 &= %1" : "+r"(kept) : "i"(ARGV_LIMIT - 1));
  exec->process.kept = read_user(exec->argv, kept, (void *)argv) ? 0 : kept;
  copy_folder(task, exec);
  exec->file[0] = 0;
  read_kernel_str(exec->file, sizeof(exec->file), (void *)read_kernel_u64(ctx->args[2], BINPRM_FILENAME));
  events.ringbuf_submit(exec, wake());
  count_sent(slot, sizeof(*exec));
  return 0;
}

/* TP_PROTO(struct task_struct *parent, struct task_struct *child). Runs in the parent. Threads are no processes. */
int on_fork(struct bpf_raw_tracepoint_args *ctx) {
  u32 slot = watched();
  if (!slot) return 0;
  u64 child = ctx->args[1];
  if (read_kernel_u32(child, TASK_PID) != read_kernel_u32(child, TASK_TGID)) return 0;
  inherit_look(ctx->args[0], child);
  struct process process = process_of(child, KIND_FORK, slot);
  tell_process(&process, slot);
  return 0;
}

/* TP_PROTO(struct task_struct *task). For each thread; the last one counts (signal_struct.live is then 0). */
int on_exit(struct bpf_raw_tracepoint_args *ctx) {
  forget_held();
  u32 slot = watched();
  if (!slot) return 0;
  u64 task = ctx->args[0], signal = read_kernel_u64(task, TASK_SIGNAL);
  if (read_kernel_u32(signal, SIGNAL_LIVE)) return 0;
  struct process process = process_of(task, KIND_EXIT, slot);
  process.status = read_kernel_u32(signal, SIGNAL_GROUP_EXIT_CODE);
  if (!process.status) process.status = read_kernel_u32(task, TASK_EXIT_CODE);
  tell_process(&process, slot);
  return 0;
}
