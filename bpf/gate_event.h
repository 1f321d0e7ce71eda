/* What the gate's thread is told, and the maps it reads and writes: mirrored by agent/gate/layout.py, as event.h is. */
#ifndef CHAPERONE_GATE_EVENT_H
#define CHAPERONE_GATE_EVENT_H

#include "event.h"

enum gate_kind { KIND_GATE_EXEC = 48, KIND_GATE_CONNECT, KIND_GATE_READ };

/* A process became another program, or one of its threads connects and its files were not looked into. */
struct gate {
  struct head head;
  __u64 code;   /* pages of its executable mappings */
  __u32 thread; /* KIND_GATE_CONNECT: who waits, in the agent's pid namespace */
  __u32 pad;
};

/* A thread stops at the end of a TLS call, so that what could not be copied is read from its memory: `tls.size` bytes at `address`. */
struct gate_read {
  struct tls tls;
  __u64 address;
  __u32 thread;
  __u32 pad;
};

/* One program in one process. */
struct image {
  __u64 started;
  __u32 pid;
  __u32 image;
};

/* A thread or process, in the agent's pid namespace. */
struct thread {
  __u32 number;
};

/* What the gate did and could not do. */
struct gate_state {
  __u64 waiting; /* threads that wait for their tracer in the kernel now */
  __u64 is_open; /* 1: nobody waits, there is nobody to wait for; by agent/gate/doorkeeper.py */
  __u64 reads;   /* 1: what cannot be copied is read by the agent; by agent/gate/gate.py */
  __u64 tracer;  /* the process that takes a SIGSTOP of ours away from who is traced by it; by the same */
};

#endif
