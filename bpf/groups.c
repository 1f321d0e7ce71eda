/* Cgroups of the unified hierarchy: a new one is what the one around it is, before anything can be in it (the kernel tells of it
 * before it makes its directory visible). Raw tracepoints; their path is the hierarchy's, whatever namespace anybody is in. */

static u64 group_of(u64 cgroup) { return read_kernel_u64(read_kernel_u64(cgroup, CGROUP_KN), KERNFS_NODE_ID); }

/* Hierarchy 0 is the unified one, in every kernel: cgroups(7). */
static int is_unified(u64 cgroup) { return !read_kernel_u32(read_kernel_u64(cgroup, CGROUP_ROOT), CGROUP_ROOT_HIERARCHY_ID); }

static u64 parent_of(u64 cgroup) { return read_kernel_u64(cgroup, CGROUP_SELF + CSS_PARENT) - CGROUP_SELF; }

static void tell_made(u64 id, u64 path) {
  struct group_made *made = events.ringbuf_reserve(sizeof(*made));
  if (!made) {
    count_event_lost(0);
    return;
  }
  made->seen.head = head_of_task(bpf_get_current_task(), KIND_GROUP_MADE, 0);
  made->seen.id = id;
  made->path[0] = 0;
  read_kernel_str(made->path, sizeof(made->path), (void *)path);
  events.ringbuf_submit(made, BPF_RB_FORCE_WAKEUP);
}

/* TP_PROTO(struct cgroup *cgrp, const char *path): include/trace/events/cgroup.h */
int on_group_made(struct bpf_raw_tracepoint_args *ctx) {
  u64 cgroup = ctx->args[0];
  if (!is_unified(cgroup)) return 0;
  u64 id = group_of(cgroup), parent = group_of(parent_of(cgroup));
  struct group *around = groups.lookup(&parent);
  if (!around) return 0;
  struct group fresh = {around->slot, 0};
  if (groups.update(&id, &fresh)) count_event_lost(slot_in(&fresh));
  if (fresh.slot == AREA) tell_made(id, ctx->args[1]);
  return 0;
}

/* The same arguments. */
int on_group_gone(struct bpf_raw_tracepoint_args *ctx) {
  u64 cgroup = ctx->args[0];
  if (!is_unified(cgroup)) return 0;
  u64 id = group_of(cgroup);
  struct group *group = groups.lookup(&id);
  if (!group) return 0;
  struct group last = *group;
  groups.delete(&id);
  claimed.delete(&id);
  if (last.is_top || last.slot == AREA) tell_group(KIND_GROUP_GONE, id, slot_in(&last));
  return 0;
}

/* TP_PROTO(struct cgroup *dst_cgrp, const char *path, struct task_struct *task, bool threadgroup). Not told of who is born there
 * (CLONE_INTO_CGROUP): that one is met when it executes. */
int on_group_entered(struct bpf_raw_tracepoint_args *ctx) {
  u64 cgroup = ctx->args[0];
  if (!is_unified(cgroup)) return 0;
  u64 id = group_of(cgroup);
  struct group *group = groups.lookup(&id);
  if (group && group->slot == AREA) claim(id);
  return 0;
}
