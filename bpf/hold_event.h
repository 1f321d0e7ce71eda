/* What user space is told about held threads, and the maps it reads and writes: mirrored by agent/hold/layout.py, as event.h is. */
#ifndef CHAPERONE_HOLD_EVENT_H
#define CHAPERONE_HOLD_EVENT_H

#include "event.h"
#include "call.h"

enum hold_kind { KIND_HELD = 80 };

/* SITE_WRITE: nothing of it has left. SITE_WRITE_RETURN: replaced bytes were taken, and not exactly as many as were offered.
 * SITE_READ: the bytes lie in its caller's buffer, who has not seen them. SITE_OWED: a read begins, and there is something to give. */
enum site { SITE_WRITE = 1, SITE_WRITE_RETURN, SITE_READ, SITE_OWED };

#define HELD_SHARE 2048 /* threads of one workload, an eighth of `held_threads`: nobody takes the others' */

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
  __u64 cookie; /* of the socket on which its first record was seen to leave; 0: none yet */
  __u32 pid;
  __u32 pad;
};

/* Of one stream: from which position on its calls are held, by direction; whether reads are, before they begin. */
struct hold_from {
  __u64 positions[2];
  __u64 owed;
};

/* Of one workload. */
struct tally {
  __u64 threads;
};

/* Of one workload. */
struct enforcing {
  __u64 is_enforced; /* each write waits for its order, from position 0 of every stream on */
  __u64 is_strict;   /* what cannot be held is killed */
  __u64 unheld;      /* calls that had to be held and were not */
  __u64 covers;      /* TLS that no probe tells of does not leave: handshakes are to be vouched for */
};

/* The second lock (lock.c): the agent's signs of life. */
struct lock_state {
  __u64 beat;    /* boot time of the last one, ns */
  __u64 dropped; /* packets */
  __u64 open;    /* until this boot time nothing is dropped, whoever lives (break-glass) */
};

/* Of a workload that is locked. */
struct lock_workload {
  __u64 is_strict; /* no TLS leaves while no agent lives */
  __u64 covers;    /* TLS that no probe tells of does not leave */
};

/* A TLS object as the lock names it, or (pid 0, handle: id of the cgroup) all of a workload that have no socket yet. */
struct object {
  __u64 handle;
  __u32 pid;
  __u32 pad;
};

/* Bytes of an object that may have left, all in all; `pooled`: of these, what was given to its workload's since its socket was not known. */
struct released {
  __u64 bytes;
  __u64 pooled;
};

/* Bytes of an object that have; `ties`: sockets that turned out to be its, one after another. */
struct spent {
  __s64 bytes;
  __u64 ties;
};

#endif
