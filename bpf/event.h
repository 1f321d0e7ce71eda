/* The records shared with user space, and the keys and values of maps that user space touches.
 *
 * agent/trace/layout.py mirrors every struct of this file; a test compiles the mirror's offsets against it, and the
 * agent compares the sizes when it loads. Widest field first, explicit padding, nothing packed.
 */
#ifndef CHAPERONE_EVENT_H
#define CHAPERONE_EVENT_H

#include <linux/types.h>

enum kind { KIND_BYTES = 1, KIND_LOST, KIND_CLOSED, KIND_EXEC, KIND_FORK, KIND_EXIT };
enum direction { DIRECTION_OUT, DIRECTION_IN };
enum library { LIBRARY_OPENSSL = 1, LIBRARY_GO, LIBRARY_GNUTLS };
enum cause { CAUSE_NONE, CAUSE_RING_FULL, CAUSE_PAGE_ABSENT, CAUSE_TOO_LONG, CAUSE_NO_BUFFER, CAUSE_EARLY, CAUSE_OVER_SHARE };

#define FILE_LIMIT 256  /* bytes of an executed file's name */
#define ARGV_LIMIT 4096 /* bytes of argv, each argument with its closing 0; a power of two */
#define CHUNK_LIMIT 32768
#define NAME_LIMIT 256   /* bytes of a folder's name with its closing 0 */
#define FOLDER_LIMIT 1024 /* bytes of a folder's names, the last one not counted; a power of two */
#define NOT_WHOLE (~0U)

/* Every record begins so. */
struct head {
  __u64 time;    /* CLOCK_BOOTTIME ns */
  __u64 started; /* of the process: start_boottime of its first thread */
  __u32 pid;     /* the process (tgid), in the agent's pid namespace */
  __u32 image;   /* how many programs this process has been: exec begins a new set of TLS objects */
  __u16 kind;
  __u16 workload; /* slot of its cgroup, from 1 */
  __u32 pad;
};

/* Bytes of a TLS object that went through (followed by `kept` bytes of data), or are lost (kept = 0). */
struct tls {
  struct head head;
  __u64 handle;
  __u64 born;     /* time of the object's first event */
  __u64 position; /* of the first byte */
  __u64 size;     /* KIND_BYTES: what the call moved in all; KIND_LOST: the bytes lost from `position` on */
  __u32 kept;
  __u8 direction;
  __u8 library;
  __u8 cause;
  __u8 pad;
};

struct closed {
  struct head head;
  __u64 handle;
  __u64 born;
  __u64 positions[2]; /* per direction: all bytes that went through */
  __u32 library;
  __u32 pad;
};

struct process {
  struct head head;
  __u64 parent_started;
  __u32 parent;
  __u32 uid;
  __s32 status; /* KIND_EXIT: as wait() gives it */
  __u32 kept;   /* KIND_EXEC: bytes of argv that follow */
  __u32 size;   /* KIND_EXEC: bytes of argv there are */
  __u32 folder; /* KIND_EXEC: bytes of the names of its working directory, or NOT_WHOLE */
};

struct exec {
  struct process process;
  char file[FILE_LIMIT];
  char argv[ARGV_LIMIT];
  char folder[FOLDER_LIMIT + NAME_LIMIT]; /* names, each with its closing 0, from the innermost outwards */
};

struct stream_key {
  __u64 started;
  __u64 handle;
  __u32 pid;
  __u32 image;
};

struct stream {
  __u64 born;
  __u64 handle;
  __u64 positions[2]; /* per direction: the next byte */
  __u16 library;
  __u16 workload;
  __u32 closed; /* 1: freed, but its `struct closed` did not fit into the ring; kept under `born | CLOSED` */
};
#define CLOSED (1ULL << 63) /* no address of user space */

/* Of one workload. What could not be done, counted: see `Lost` in agent/trace/values.py; what it has used of the ring and of the
 * tables of streams, flows and calls, all in all. */
struct counters {
  __u64 chunks;
  __u64 events;
  __u64 streams;
  __u64 calls;
  __u64 connects;
  __u64 packets;
  __u64 sent;  /* bytes of records */
  __u64 begun; /* streams */
  __u64 ended; /* of these, by a program here */
  __u64 flows; /* directions of TCP connections, put into their table */
  __u64 entered;  /* calls, put into theirs */
  __u64 returned; /* of these, taken out by a program here */
};

/* Of one workload: what user space has taken out again. */
struct taken {
  __u64 bytes;
  __u64 streams;
  __u64 flows;
  __u64 calls;
};

struct governed {
  __u64 count; /* workloads; where there is an area, as many as there may be */
};

#endif
