/* What an entry probe leaves for the return probe. */

/* A call between entry and return. The stack's depth tells nested calls of one thread apart (TLS within TLS). */
struct call_key {
  u64 thread; /* OpenSSL: pid_tgid; Go: the goroutine's address */
  u64 depth;  /* OpenSSL: stack pointer; Go: its distance from the stack's upper end, which survives a move */
  u32 pid;
  u32 pad;
};

struct call {
  u64 time; /* of the entry */
  u64 handle;
  u64 buffer;
  u64 length; /* OpenSSL: address of where the call reports its length, 0: it returns it; GnuTLS: the bytes asked for */
  u64 stack;  /* stack pointer at entry (Go) */
  u32 slot;
  u32 direction;
};
