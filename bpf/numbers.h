/* The numbers of processes and threads in the agent's pid namespace, which its /proc knows them by. On a machine itself that is the
 * kernel's own. Where the node is a container (as in kind), struct pid has one number for each namespace from the kernel's own inwards:
 * include/linux/pid.h, the same since 4.19. */

#ifndef PID_NAMESPACE
static u32 process_number(u64 task) { return read_kernel_u32(task, TASK_TGID); }
static u32 thread_number(u64 task) { return read_kernel_u32(task, TASK_PID); }
/* The thread's in the low half, the process's in the high one. */
static u64 current_numbers(void) { return bpf_get_current_pid_tgid(); }
#else
#define UPID_SIZE 16

/* 0: it has none at this level, or that is another namespace. */
static u32 number_at(u64 pid, u32 level) {
  u64 upid = pid + PID_NUMBERS + level * UPID_SIZE;
  if (read_kernel_u32(pid, PID_LEVEL) < level) return 0;
  if (read_kernel_u32(read_kernel_u64(upid, UPID_NS), PID_NAMESPACE_NS + NS_COMMON_INUM) != PID_NAMESPACE) return 0;
  return read_kernel_u32(upid, UPID_NR);
}

/* A node in a container is at level 1; one more for each container that this one is in. (A loop, the verifier walks too often.) */
static u32 thread_number(u64 task) {
  u64 pid = read_kernel_u64(task, TASK_THREAD_PID);
  u32 number = number_at(pid, 1);
  if (!number) number = number_at(pid, 2);
  if (!number) number = number_at(pid, 3);
  return number;
}
static u32 process_number(u64 task) { return thread_number(read_kernel_u64(task, TASK_GROUP_LEADER)); }
static u64 current_numbers(void) {
  u64 task = bpf_get_current_task();
  return (u64)process_number(task) << 32 | thread_number(task);
}
#endif
