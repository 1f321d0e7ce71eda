/* Every map: key, value, lifetime, writer. All belong to one agent process and go with it. */

/* Everything that leaves for user space, in one order. The first map of the text: see EVENTS below. */
BPF_RINGBUF_OUTPUT(events, RING_PAGES);

/* What we would like: `events.ringbuf_query(…)`. bcc 0.26 (Debian 12) knows no such member. It numbers the maps of a
 * text -1, -2, … until they exist, so this is what it writes for `events` itself; were it another map, the verifier
 * would refuse the helper. */
#define EVENTS ((void *)bpf_pseudo_fd(1, -1))

#define SLOTS 64 /* governed cgroups at once */

/* slot - 1 -> cgroup; written by Tracer.govern and release. */
BPF_CGROUP_ARRAY(cgroups, SLOTS);

/* 0 -> how to read `cgroups`; written by the same, after it. */
BPF_ARRAY(governed, struct governed, 1);

/* cgroup id -> epoch << 16 | slot (0: not governed). A cache, written by filter.h; cgroups cannot be moved, and
 * their ids are not reused, so that an entry stays true as long as its epoch. */
BPF_TABLE("lru_hash", u64, u64, verdicts, 4096);

/* TLS object -> positions; from its first byte (stream.h) until it is freed (same) or its process ends or executes
 * another program (Tracer, which learns of it by an exit or exec record). */
BPF_HASH(streams, struct stream_key, struct stream, 65536);

/* A call between its entry and its return; written by the entry, deleted by the return. LRU, because a thread killed
 * inside a call never returns. */
BPF_TABLE("lru_hash", struct call_key, struct call, calls, 65536);

/* slot (0: not known whose) -> what could not be done and what was used; written by all, read by Tracer.lost. */
BPF_ARRAY(counters, struct counters, SLOTS + 1);

/* slot -> what user space has given back; written by agent/trace/shares.py, read by copy.h. */
BPF_ARRAY(taken, struct taken, SLOTS + 1);


/* Never filled: they carry the sizes of event.h's structs as this compiler sees them, for Kernel.check_layout. */
BPF_ARRAY(layout_tls, struct tls, 1);
BPF_ARRAY(layout_closed, struct closed, 1);
BPF_ARRAY(layout_process, struct process, 1);
