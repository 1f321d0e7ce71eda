/* Every map: key, value, lifetime, writer. All belong to one agent process and go with it. */

/* Everything that leaves for user space, in one order. The first map of the text: see EVENTS below. */
BPF_RINGBUF_OUTPUT(events, RING_PAGES);

/* What we would like: `events.ringbuf_query(…)`. bcc 0.26 (Debian 12) knows no such member. It numbers the maps of a
 * text -1, -2, … until they exist, so this is what it writes for `events` itself; were it another map, the verifier
 * would refuse the helper. */
#define EVENTS ((void *)bpf_pseudo_fd(1, -1))

#define SLOTS 1024 /* workloads at once */

/* cgroup id -> what is done about those in it; from the first decision about it or one around it (agent/trace/governed.py), or its
 * making in such a one (groups.c), until it is removed (same). Ids are not given out twice in a boot. */
BPF_HASH(groups, u64, struct group, 65536);

/* Slots to give out to cgroups of an area; filled by agent/trace/governed.py. */
BPF_QUEUE(spare, u32, 512);

/* cgroup id of an area -> the slot it was given: the first of two processors that give one has the say; by filter.h and
 * agent/trace/governed.py, until the cgroup is removed. */
BPF_HASH(claimed, u64, u32, 16384);

/* 0 -> how many workloads there are; by agent/trace/governed.py. */
BPF_ARRAY(governed, struct governed, 1);

/* TLS object -> positions; from its first byte (account.h) until it is freed (same) or its process ends or executes
 * another program (Tracer, which learns of it by an exit or exec record). */
BPF_HASH(streams, struct stream_key, struct stream, 65536);

#define CALLS 65536

/* A call between its entry and its return; written by the entry, deleted by the return. A thread killed inside a call never returns:
 * agent/trace/abandoned.py takes those of ended processes out. A workload has half of it at most (account.h). */
BPF_HASH(calls, struct call_key, struct call, CALLS);

/* slot (0: not known whose) -> what could not be done and what was used; written by all, read by Tracer.lost. */
BPF_ARRAY(counters, struct counters, SLOTS + 1);

/* slot -> what user space has given back; written by agent/trace/shares.py, read by copy.h. */
BPF_ARRAY(taken, struct taken, SLOTS + 1);

/* slot -> whether its threads are stopped rather than left to lose what goes beyond their share; written by Tracer. */
BPF_ARRAY(strict, u32, SLOTS + 1);

/* Never filled: they carry the sizes of event.h's structs as this compiler sees them, for Kernel.check_layout. */
BPF_ARRAY(layout_tls, struct tls, 1);
BPF_ARRAY(layout_closed, struct closed, 1);
BPF_ARRAY(layout_process, struct process, 1);
BPF_ARRAY(layout_group_seen, struct group_seen, 1);
BPF_ARRAY(layout_group_made, struct group_made, 1);
