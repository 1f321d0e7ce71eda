/* libgnutls 3. ssize_t calls, System V calling convention; a return <= 0 moved nothing, but for one case.
 *
 * A send that answers GNUTLS_E_AGAIN or _INTERRUPTED has encrypted the bytes already. Whichever call comes next, with the same
 * buffer, another one or NULL, sends those and returns how many they were (gnutls_record_send(3)). They are therefore copied when
 * they are encrypted and told when they are accepted.
 *
 * What is sent while a session is corked is told when gnutls_record_uncork sends it, through the same function. */

#define GNUTLS_AGAIN -28
#define GNUTLS_INTERRUPTED -52
#define UNSENT_LIMIT 16384 /* a record's plaintext: one send encrypts no more */

struct unsent {
  struct chunk_16k chunk;
  u64 time; /* of the entry */
  u64 size; /* offered by it, and what they were replaced by, as in struct call */
  u64 sent;
  u64 buffer; /* of a call that was replaced and takes several records, a copy of what it offered (agent/hold/acts.py) */
};

/* TLS object -> what its last send encrypted without having sent it; from that call until the one that has. LRU, as `calls`. */
BPF_TABLE("lru_hash", struct stream_key, struct unsent, unsent, 128);

/* 0 -> zeros: a value of `unsent` does not fit on the stack. Never written. */
BPF_ARRAY(unsent_empty, struct unsent, 1);

/* TLS object that is corked -> 1; written by cork, deleted by uncork. */
BPF_TABLE("lru_hash", struct stream_key, u8, corked, 4096);

static int gnutls_enter(struct pt_regs *ctx, u32 direction) {
  u32 slot = watched();
  if (!slot) return 0;
  if (direction == DIRECTION_OUT) about_to_write(ctx->di, ctx->dx);
  struct call_key key = openssl_call(ctx, ctx->sp);
  struct call call = {bpf_ktime_get_boot_ns(), ctx->di, ctx->si, ctx->dx, ctx->sp, slot, direction, ctx->dx, ctx->ip};
  begin_call(&key, &call);
  begin_handshake(slot, ctx->di);
  if (direction == DIRECTION_OUT) {
    struct stream_key at = stream_key_of(call.handle);
    if (corked.lookup(&at) || unsent.lookup(&at)) return 0; /* told later; told before */
  }
  hold_entry(&key, &call, LIBRARY_GNUTLS);
  return 0;
}

/* Encrypted now, accepted later. Bytes that can't be read are left to the call that accepts them. */
static void keep_unsent(struct stream_key *key, struct call *call) {
  u32 zero = 0;
  struct unsent *kept = unsent.lookup(key), *empty = unsent_empty.lookup(&zero);
  if (kept || !empty || !call->buffer || !call->length) return;
  unsent.update(key, empty);
  kept = unsent.lookup(key);
  if (!kept) return;
  kept->time = call->time;
  kept->size = call->size;
  kept->sent = call->sent;
  kept->buffer = call->buffer;
  u64 last = call->length - 1;
  if (last >= UNSENT_LIMIT) last = UNSENT_LIMIT - 1;
  asm volatile("%0 &= %1" : "+r"(last) : "i"(UNSENT_LIMIT - 1));
  if (read_user(kept->chunk.data, last + 1, (void *)call->buffer)) unsent.delete(key);
}

/* The record is sent at its full size, `kept` of it count: ringbuf_output wants a constant. */
static void account_unsent(struct call *call, u64 size, struct unsent *kept) {
  struct tls tls = {};
  call->time = kept->time;
  if (!placed(call, size, LIBRARY_GNUTLS, &tls)) return;
  tls.kept = size;
  kept->chunk.tls = tls;
  u32 cause = why_not(share_left(call->slot), 0);
  if (!cause && !events.ringbuf_output(&kept->chunk, sizeof(kept->chunk), wake())) {
    count_sent(call->slot, sizeof(kept->chunk));
    return;
  }
  send_lost(&tls, size, cause ? cause : CAUSE_RING_FULL);
}

int on_gnutls_send_return(struct pt_regs *ctx) {
  struct call_key called = {};
  struct call call = {};
  if (!openssl_leave(ctx, &called, &call)) return 0;
  struct stream_key key = stream_key_of(call.handle);
  s64 result = ctx->ax;
  if (result == GNUTLS_AGAIN || result == GNUTLS_INTERRUPTED) keep_unsent(&key, &call);
  struct unsent *kept = unsent.lookup(&key);
  if (kept) {
    call.size = kept->size;
    call.sent = kept->sent;
    call.buffer = kept->buffer;
  }
  if (result <= 0 || corked.lookup(&key)) return 0;
  u64 counted = returned(&called, &call, result, LIBRARY_GNUTLS);
  if (kept && counted && counted <= UNSENT_LIMIT) account_unsent(&call, counted, kept);
  else if (counted) account(&call, counted, LIBRARY_GNUTLS);
  if (kept) unsent.delete(&key);
  return 0;
}

int on_gnutls_receive_return(struct pt_regs *ctx) {
  struct call_key called = {};
  struct call call = {};
  if (!openssl_leave(ctx, &called, &call)) return 0;
  s64 result = ctx->ax;
  if (result > 0) result = returned(&called, &call, result, LIBRARY_GNUTLS);
  if (result > 0) account(&call, result, LIBRARY_GNUTLS);
  return 0;
}

/* Returns the bytes' number and, through a pointer, an object of its own that holds them: they are not read, but stated. */
int on_gnutls_packet_return(struct pt_regs *ctx) {
  struct call_key called = {};
  struct call call = {};
  if (!openssl_leave(ctx, &called, &call)) return 0;
  s64 result = ctx->ax;
  if (result > 0) account_unread(&call, result, LIBRARY_GNUTLS, CAUSE_NO_BUFFER);
  return 0;
}

/* Bytes for the server before its hello: returns 0 when it took them all. */
int on_gnutls_early_return(struct pt_regs *ctx) {
  struct call_key called = {};
  struct call call = {};
  if (!openssl_leave(ctx, &called, &call)) return 0;
  if (!ctx->ax && call.length) account_unread(&call, call.length, LIBRARY_GNUTLS, CAUSE_EARLY);
  return 0;
}

/* ssize_t gnutls_record_send2(gnutls_session_t session, const void *data, size_t data_size, size_t pad, unsigned flags)
 * ssize_t gnutls_record_send(gnutls_session_t session, const void *data, size_t data_size)
 * ssize_t gnutls_record_send_range(gnutls_session_t session, const void *data, size_t data_size, const gnutls_range_st *range)
 * ssize_t gnutls_record_send_early_data(gnutls_session_t session, const void *data, size_t data_size) */
int on_gnutls_send_entry(struct pt_regs *ctx) { return gnutls_enter(ctx, DIRECTION_OUT); }

/* ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t data_size)
 * ssize_t gnutls_record_recv_seq(gnutls_session_t session, void *data, size_t data_size, unsigned char *seq)
 * ssize_t gnutls_record_recv_packet(gnutls_session_t session, gnutls_packet_t *packet) */
int on_gnutls_receive_entry(struct pt_regs *ctx) { return gnutls_enter(ctx, DIRECTION_IN); }

/* void gnutls_record_cork(gnutls_session_t session) */
int on_gnutls_cork_entry(struct pt_regs *ctx) {
  if (!watched()) return 0;
  struct stream_key key = stream_key_of(ctx->di);
  u8 one = 1;
  corked.update(&key, &one);
  return 0;
}

/* int gnutls_record_uncork(gnutls_session_t session, unsigned int flags) */
int on_gnutls_uncork_entry(struct pt_regs *ctx) {
  if (!watched()) return 0;
  struct stream_key key = stream_key_of(ctx->di);
  corked.delete(&key);
  return 0;
}

/* void gnutls_deinit(gnutls_session_t session) */
int on_gnutls_deinit_entry(struct pt_regs *ctx) {
  u32 slot = watched();
  if (!slot) return 0;
  struct stream_key key = stream_key_of(ctx->di);
  corked.delete(&key);
  unsent.delete(&key);
  end_handshake(slot, ctx->di);
  close_stream(ctx->di, slot);
  return 0;
}
