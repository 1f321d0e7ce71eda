/* What an entry probe leaves for the return probe. Mirrored by agent/hold/layout.py. */
#ifndef CHAPERONE_CALL_H
#define CHAPERONE_CALL_H

#include <linux/types.h>

/* A call between entry and return. The stack's depth tells nested calls of one thread apart (TLS within TLS). */
struct call_key {
  __u64 thread; /* OpenSSL: current_numbers(); Go: the goroutine's address */
  __u64 depth;  /* OpenSSL: stack pointer; Go: its distance from the stack's upper end, which survives a move */
  __u32 pid;
  __u32 pad;
};

struct call {
  __u64 time; /* of the entry */
  __u64 handle;
  __u64 buffer;
  __u64 length; /* OpenSSL: address of where the call reports its length, 0: it returns it; GnuTLS: the bytes asked for */
  __u64 stack;  /* stack pointer at entry */
  __u32 slot;
  __u32 direction;
  __u64 size; /* bytes offered, or room for so many */
  __u64 ip;   /* of the probed instruction */
  __u64 sent; /* by agent/hold, of a held call: its bytes were replaced by so many; 0: they were not */
  __u64 held; /* 1 while its thread is held at its entry; cleared by agent/hold */
};

#endif
