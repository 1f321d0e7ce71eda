/* libssl 1.1 and 3, and what has its functions inside (node, BoringSSL). System V calling convention.
 *
 * The bytes are copied when a call returns: then it is known how many it moved, and the pages of the buffer were
 * touched. A write is stamped with its entry, since the answer may be read by another thread before it returns. */

static struct call_key openssl_call(struct pt_regs *ctx, u64 depth) {
  u64 thread = current_numbers();
  struct call_key key = {thread, depth, thread >> 32, 0};
  return key;
}

static int openssl_enter(struct pt_regs *ctx, u32 direction, u64 length) {
  u32 slot = watched();
  if (!slot) return 0;
  u64 size = length ? ctx->dx : (u32)ctx->dx;
  if (direction == DIRECTION_OUT) about_to_write(ctx->di, size);
  struct call_key key = openssl_call(ctx, ctx->sp);
  struct call call = {bpf_ktime_get_boot_ns(), ctx->di, ctx->si, length, ctx->sp, slot, direction, size, ctx->ip};
  begin_call(&key, &call);
  begin_handshake(slot, ctx->di);
  hold_entry(&key, &call, LIBRARY_OPENSSL);
  return 0;
}

/* The call that returns now; 0: not one that we saw begin. The address that the stack pointer pointed to at entry has been popped. */
static int openssl_leave(struct pt_regs *ctx, struct call_key *key, struct call *call) {
  *key = openssl_call(ctx, ctx->sp - 8);
  return take_call(key, call);
}

/* Threads that are inside of SSL_write_early_data, which goes on in SSL_write_ex. LRU, as `calls`. */
BPF_TABLE("lru_hash", u64, u8, early, 1024);

/* 0 -> 1 once anybody sent early data: before, no write needs to look. Written by the entry. */
BPF_ARRAY(early_sent, u32, 1);

static int is_early(void) {
  u32 zero = 0, *any = early_sent.lookup(&zero);
  if (!any || !*any) return 0;
  u64 thread = current_numbers();
  return early.lookup(&thread) != 0;
}

/* The return of any of the next four calls. */
int on_ssl_return(struct pt_regs *ctx) {
  struct call_key key = {};
  struct call call = {};
  if (!openssl_leave(ctx, &key, &call)) return 0;
  int result = (int)ctx->ax;
  if (result <= 0) return 0;
  u64 size = result;
  if (call.length && read_user(&size, sizeof(size), (void *)call.length)) return 0;
  if (size) size = returned(&key, &call, size, LIBRARY_OPENSSL);
  if (!size) return 0;
  if (call.direction == DIRECTION_OUT && is_early()) account_unread(&call, size, LIBRARY_OPENSSL, CAUSE_EARLY);
  else account(&call, size, LIBRARY_OPENSSL);
  return 0;
}

/* int SSL_write(SSL *ssl, const void *buf, int num) */
int on_ssl_write_entry(struct pt_regs *ctx) { return openssl_enter(ctx, DIRECTION_OUT, 0); }

/* int SSL_write_ex(SSL *s, const void *buf, size_t num, size_t *written) */
int on_ssl_write_ex_entry(struct pt_regs *ctx) { return openssl_enter(ctx, DIRECTION_OUT, ctx->cx); }

/* int SSL_read(SSL *ssl, void *buf, int num) */
int on_ssl_read_entry(struct pt_regs *ctx) { return openssl_enter(ctx, DIRECTION_IN, 0); }

/* int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes) */
int on_ssl_read_ex_entry(struct pt_regs *ctx) { return openssl_enter(ctx, DIRECTION_IN, ctx->cx); }

/* int SSL_write_early_data(SSL *s, const void *buf, size_t num, size_t *written): what the server may refuse, and is then sent again
 * by SSL_write. It is stated and not kept, or it would be there twice. */
int on_ssl_early_entry(struct pt_regs *ctx) {
  if (!watched()) return 0;
  u32 zero = 0, one = 1;
  u64 thread = current_numbers();
  u8 inside = 1;
  early_sent.update(&zero, &one);
  early.update(&thread, &inside);
  return 0;
}

int on_ssl_early_return(struct pt_regs *ctx) {
  u64 thread = current_numbers();
  if (watched()) early.delete(&thread);
  return 0;
}

/* ossl_ssize_t SSL_sendfile(SSL *s, int fd, off_t offset, size_t size, int flags): with kernel TLS only; the bytes are in no buffer. */
int on_ssl_sendfile_entry(struct pt_regs *ctx) {
  u32 slot = watched();
  if (!slot) return 0;
  about_to_write(ctx->di, ctx->cx);
  struct call_key key = openssl_call(ctx, ctx->sp);
  struct call call = {bpf_ktime_get_boot_ns(), ctx->di, 0, 0, ctx->sp, slot, DIRECTION_OUT};
  begin_call(&key, &call);
  return 0;
}

int on_ssl_sendfile_return(struct pt_regs *ctx) {
  struct call_key key = {};
  struct call call = {};
  if (!openssl_leave(ctx, &key, &call)) return 0;
  s64 result = ctx->ax;
  if (result > 0) account_unread(&call, result, LIBRARY_OPENSSL, CAUSE_NO_BUFFER);
  return 0;
}

/* void SSL_free(SSL *ssl). An object that others still refer to is taken for freed: no TLS client we know shares one. */
int on_ssl_free_entry(struct pt_regs *ctx) {
  u32 slot = watched();
  if (!slot) return 0;
  end_handshake(slot, ctx->di);
  close_stream(ctx->di, slot);
  return 0;
}

/* int SSL_do_handshake(SSL *ssl)
 * int SSL_connect(SSL *ssl)
 * int gnutls_handshake(gnutls_session_t session) */
int on_ssl_handshake_entry(struct pt_regs *ctx) {
  u32 slot = watched();
  if (slot) begin_handshake(slot, ctx->di);
  return 0;
}
