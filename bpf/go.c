/* Go's crypto/tls. Register ABI (Go 1.17 and later, amd64): ax, bx, cx are the first arguments and results, r14 is the
 * running goroutine.
 *
 * Entry is probed behind the stack check, which may grow the stack and start the function over; each RET is probed,
 * because a return probe's trampoline on the stack would be met by the runtime when it moves the stack. */

/* struct g begins with the bounds of its stack (runtime/runtime2.go: `stack stack`, {lo, hi}). */
static u64 goroutine_depth(struct pt_regs *ctx) {
  u64 high = 0;
  read_user(&high, sizeof(high), (void *)(ctx->r14 + 8));
  return high - ctx->sp;
}

static struct call_key go_call(struct pt_regs *ctx, u64 depth) {
  struct call_key key = {ctx->r14, depth, current_numbers() >> 32, 0};
  return key;
}

static int go_enter(struct pt_regs *ctx, u32 direction) {
  u32 slot = watched();
  if (!slot) return 0;
  if (direction == DIRECTION_OUT) about_to_write(ctx->ax, ctx->cx);
  struct call_key key = go_call(ctx, goroutine_depth(ctx));
  struct call call = {bpf_ktime_get_boot_ns(), ctx->ax, ctx->bx, 0, ctx->sp, slot, direction, ctx->cx, ctx->ip};
  begin_call(&key, &call);
  begin_handshake(slot, ctx->ax);
  hold_entry(&key, &call, LIBRARY_GO);
  return 0;
}

/* A buffer on the goroutine's own stack has moved with it: it was between the stack pointer and the upper end. */
static u64 moved(u64 buffer, struct call *call, u64 depth, u64 stack) {
  if (buffer < call->stack || buffer >= call->stack + depth) return buffer;
  return buffer + (stack - call->stack);
}

static int go_leave(struct pt_regs *ctx) {
  u64 depth = goroutine_depth(ctx);
  struct call_key key = go_call(ctx, depth);
  struct call call = {};
  if (!take_call(&key, &call)) return 0;
  s64 size = ctx->ax;
  call.buffer = moved(call.buffer, &call, depth, ctx->sp);
  u64 counted = size > 0 ? returned(&key, &call, size, LIBRARY_GO) : 0;
  if (counted) account(&call, counted, LIBRARY_GO);
  return 0;
}

/* func (c *Conn) Write(b []byte) (int, error) */
int on_go_write_entry(struct pt_regs *ctx) { return go_enter(ctx, DIRECTION_OUT); }
int on_go_write_return(struct pt_regs *ctx) { return go_leave(ctx); }

/* func (c *Conn) Read(b []byte) (int, error) */
int on_go_read_entry(struct pt_regs *ctx) { return go_enter(ctx, DIRECTION_IN); }
int on_go_read_return(struct pt_regs *ctx) { return go_leave(ctx); }

/* func (c *Conn) Close() error. Bytes that a program still reads from a closed Conn's buffer are another stream. */
int on_go_close_entry(struct pt_regs *ctx) {
  u32 slot = watched();
  if (!slot) return 0;
  end_handshake(slot, ctx->ax);
  close_stream(ctx->ax, slot);
  return 0;
}

/* func (c *Conn) clientHandshake(ctx context.Context) error: what handshakeContext, which each Read and Write calls, does only once */
int on_go_handshake_entry(struct pt_regs *ctx) {
  u32 slot = watched();
  if (slot) begin_handshake(slot, ctx->ax);
  return 0;
}
