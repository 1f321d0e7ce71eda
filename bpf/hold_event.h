/* What user space is told about held threads, and the maps it reads and writes: mirrored by agent/hold/layout.py, as event.h is. */
#ifndef CHAPERONE_HOLD_EVENT_H
#define CHAPERONE_HOLD_EVENT_H

#include "event.h"
#include "call.h"

enum hold_kind { KIND_HELD = 80 };

/* SITE_WRITE: nothing of it has left. SITE_WRITE_RETURN: replaced bytes were taken, and not exactly as many as were offered.
 * SITE_READ: the bytes lie in its caller's buffer, who has not seen them. SITE_OWED: a read begins, and there is something to give. */
enum site { SITE_WRITE = 1, SITE_WRITE_RETURN, SITE_READ, SITE_OWED };

/* A thread that waits at a TLS call: what is told in the ring, and what it is found by. */
struct held {
  struct head head;
  struct call_key key;
  struct call call;
  __u64 born;
  __u64 position;
  __u64 size; /* bytes: offered (SITE_WRITE), reported (SITE_WRITE_RETURN), decrypted (SITE_READ), room (SITE_OWED) */
  __u64 task; /* key of `writing` (bpf/socket_maps.h): a write that leaves later than it began is tied then */
  __u32 tid;
  __u16 site;
  __u16 library;
};

/* A write that a task began: what tie.h compares records with. */
struct pending {
  __u64 handle;
  __u64 size;
  __u64 time;
  __u32 pid;
  __u32 pad;
};

/* Of one stream: from which position on its calls are held, by direction; whether reads are, before they begin. */
struct hold_from {
  __u64 positions[2];
  __u64 owed;
};

/* Of one workload. */
struct enforcing {
  __u64 is_enforced; /* each write waits for its order, from position 0 of every stream on */
  __u64 is_strict;   /* what cannot be held is killed */
  __u64 unheld;      /* calls that had to be held and were not */
};

#endif
