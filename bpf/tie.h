/* Which TLS object speaks on which socket: by thread, size and time. Only facts of the calls and of the wire, no struct offsets. */

struct tie {
  u64 handle;
  u64 cookie;
  u64 pid;
};

#include "socket_maps.h"

#define TIE_NS 50000000ULL /* a record leaves tens of µs after the call begins; node's event loop takes a millisecond */
#define RECORD_LIMIT 16384

/* By task pointer: cgroup_skb programs know no pid before 6.12, but the current task everywhere. */
static void about_to_write(u64 handle, u64 size) {
  u64 task = bpf_get_current_task();
  struct pending pending = {handle, size, bpf_ktime_get_boot_ns(), 0, current_numbers() >> 32, 0};
  struct pending *before = writing.lookup(&task); /* written over where it is: to insert takes twice as long */
  if (before) *before = pending;
  else writing.update(&task, &pending);
}

/* Whether a record body of `length` is the first one of a write of `size`: 1.3 adds 17 bytes, AES-GCM in 1.2 24, ChaCha20 in
 * 1.2 16. Go begins a connection with records smaller than they could be. */
static int is_record_of(u32 length, u64 size) {
  u32 whole = size > RECORD_LIMIT ? RECORD_LIMIT : size;
  if (length == whole + 17 || length == whole + 24 || length == whole + 16) return 1;
  return length > 1000 && length < whole;
}

/* The write that the current task has just begun; 0: none. Of one that was held the time lies ahead (agent/hold/holds.py): who is let go may
 * have to wait for a processor. */
static struct pending *just_begun(void) {
  u64 task = bpf_get_current_task();
  struct pending *pending = writing.lookup(&task);
  return pending && (s64)(bpf_ktime_get_boot_ns() - pending->time) <= (s64)TIE_NS ? pending : 0;
}

/* Its size, if none of its records was met yet. */
static u64 awaited(void) {
  struct pending *pending = just_begun();
  return pending && !pending->cookie ? pending->size : 0;
}
#define MET (1ULL << 63) /* the size of no write */

/* A record of that write left on this socket. */
static void tell_tied(u64 cookie, u32 slot) {
  u64 task = bpf_get_current_task();
  struct pending *pending = writing.lookup(&task);
  if (!pending) return;
  struct tie tie = {pending->handle, cookie, pending->pid};
  pending->cookie = cookie;
  if (ties.lookup(&tie)) return;
  struct socket_tied tied = {};
  tied.head = head_of_task(task, KIND_SOCKET_TIED, slot);
  tied.handle = tie.handle;
  tied.cookie = cookie;
  u8 one = 1;
  if (tell(&tied, sizeof(tied), slot)) ties.update(&tie, &one);
  else count_event_lost(slot);
}
