/* TLS objects: which position a call's bytes have, and when an object ends. */

static void count_call_unknown(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->calls, 1);
}

/* A call begins; one that was there under its key never returned. Of a workload that has half of the table, no more: its returns are counted as
 * of calls that nobody saw begin. */
static void begin_call(struct call_key *key, struct call *call) {
  u32 slot = call->slot;
  struct counters *count = counters.lookup(&slot);
  struct taken *back = taken.lookup(&slot);
  if (!count || !back) return;
  if (is_alone() || (s64)(count->entered - count->returned - back->calls) < CALLS / 2) {
    if (calls.insert(key, call)) calls.update(key, call);
    else __sync_fetch_and_add(&count->entered, 1);
    return;
  }
  struct call *before = calls.lookup(key);
  if (before) *before = *call;
}

static void count_returned(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->returned, 1);
}

/* The call that returns now. 0: not one that we saw begin; if it is a watched task's, it is counted. */
static int take_call(struct call_key *key, struct call *call) {
  struct call *found = calls.lookup(key);
  if (!found) {
    u32 slot = watched();
    if (slot) count_call_unknown(slot);
    return 0;
  }
  *call = *found;
  if (!calls.delete(key)) count_returned(call->slot);
  return 1;
}

/* The name of a TLS object of the current task, in a uprobe. */
static struct stream_key stream_key_of(u64 handle) {
  struct head head = head_of_current(0, 0, 0);
  struct stream_key key = {head.started, handle, head.pid, head.image};
  return key;
}

static void count_stream(u32 slot, int is_over) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(is_over ? &count->ended : &count->begun, 1);
}

static struct stream *stream_of(struct stream_key *key, struct call *call, u64 born, u32 library) {
  struct stream *stream = streams.lookup(key);
  if (stream) return stream;
  if (!may_begin(call->slot)) return 0;
  struct stream fresh = {};
  fresh.born = born;
  fresh.handle = key->handle;
  fresh.library = library;
  fresh.workload = call->slot;
  if (!streams.update(key, &fresh)) count_stream(call->slot, 0);
  return streams.lookup(key);
}

/* Kernels before 5.12 add atomically but do not say what was there before ("unknown opcode db"), so there two
 * goroutines that return from unlocked writes at the same instant could be given one position. */
static u64 take(u64 *position, u64 size) {
#ifdef FETCH_IS_REFUSED
  u64 before = *position;
  __sync_fetch_and_add(position, size);
  return before;
#else
  return __sync_fetch_and_add(position, size);
#endif
}

/* Positions are given out when a call returns having moved `size` bytes, before anything can fail: whatever cannot be
 * copied then is a gap of exactly that size.
 *
 * Two threads cannot be in one direction of one SSL object (OpenSSL forbids it). Goroutines that write one tls.Conn
 * without a lock of their own get positions in the order in which their calls return, which may differ from the order
 * on the wire; Go's own HTTP/1 and HTTP/2 clients write under a lock. On its way from here to the ring one may overtake
 * another: agent/trace/gaps.py tells them in the order of their positions. */
static int placed(struct call *call, u64 size, u32 library, struct tls *tls) {
  u64 time = call->direction == DIRECTION_OUT ? call->time : bpf_ktime_get_boot_ns();
  tls->head = head_of_current(time, KIND_BYTES, call->slot);
  struct stream_key key = {tls->head.started, call->handle, tls->head.pid, tls->head.image};
  struct stream *stream = stream_of(&key, call, tls->head.time, library);
  if (!stream) {
    u32 slot = call->slot;
    struct counters *count = counters.lookup(&slot);
    if (count) __sync_fetch_and_add(&count->streams, 1);
    return 0;
  }
  tls->handle = call->handle;
  tls->born = stream->born;
  tls->size = size;
  tls->direction = call->direction;
  tls->library = library;
  tls->position = take(call->direction == DIRECTION_OUT ? &stream->positions[0] : &stream->positions[1], size);
  return 1;
}

static void account(struct call *call, u64 size, u32 library) {
  struct tls tls = {};
  if (placed(call, size, library, &tls)) send(&tls, call->buffer);
}

/* Bytes that went through and that lie in no buffer of the call. */
static void account_unread(struct call *call, u64 size, u32 library, u32 cause) {
  struct tls tls = {};
  if (placed(call, size, library, &tls)) send_lost(&tls, size, cause);
}

/* The end of an object that could not be told: how long its directions became must not be forgotten. */
static void set_aside(struct stream_key *key, struct stream *stream) {
  struct stream_key aside = *key;
  struct stream kept = *stream;
  kept.closed = 1;
  aside.handle = kept.born | CLOSED;
  if (!streams.update(&aside, &kept)) count_stream(kept.workload, 0);
  count_event_lost(kept.workload);
}

/* The object is gone: the same address may be another one next. */
static void close_stream(u64 handle, u32 slot) {
  struct closed closed = {};
  closed.head = head_of_task(bpf_get_current_task(), KIND_CLOSED, slot);
  struct stream_key key = {closed.head.started, handle, closed.head.pid, closed.head.image};
  struct stream *stream = streams.lookup(&key);
  if (!stream) return;
  closed.handle = handle;
  closed.born = stream->born;
  closed.positions[0] = stream->positions[0];
  closed.positions[1] = stream->positions[1];
  closed.library = stream->library;
  if (!tell(&closed, sizeof(closed), slot)) set_aside(&key, stream);
  if (!streams.delete(&key)) count_stream(slot, 1);
  hold_positions.delete(&key);
}
