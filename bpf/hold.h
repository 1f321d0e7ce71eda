/* Which calls wait. A write of an enforced workload whose bytes pass the position that user space gave, before any of them
 * leave; a read, before its caller sees the bytes, from the position on that user space gave.
 *
 * The order is the point. The record is reserved first: a thread that is stopped and that nobody was told of hangs for
 * ever. The signal is queued before the record is published: it is pending before the probe returns, so this thread runs
 * no further code of its own. bpf_send_signal would queue it for the process, where a second thread's is dropped while
 * the first is queued; _thread never did (5.10 to 6.18). */

#define KILL_SIGNAL 9

static struct enforcing *enforced(u32 slot) {
  struct enforcing *how = enforcing.lookup(&slot);
  return how && how->is_enforced ? how : 0;
}

static void not_held(struct enforcing *how) {
  __sync_fetch_and_add(&how->unheld, 1);
  if (how->is_strict) bpf_send_signal(KILL_SIGNAL);
}

/* One that may go on all the same: what it writes may leave. */
static void not_held_at_entry(struct enforcing *how, struct call *call) {
  not_held(how);
  if (how->is_strict || call->direction != DIRECTION_OUT) return;
  struct object object = object_of(call->handle);
  owe(&object, -call->size);
}

struct place {
  u64 position;
  u64 size;
  u32 site;
  u32 library;
};

static void count_noted(u32 slot, s64 more) {
  struct tally *tally = noted.lookup(&slot);
  if (tally) __sync_fetch_and_add(&tally->threads, more);
}

/* Nearly so: processors that ask at once may each take the last place. */
static int has_place(u32 slot) {
  struct tally *in = noted.lookup(&slot), *out = let_go.lookup(&slot);
  return in && out && (s64)(in->threads - out->threads) < HELD_SHARE;
}

/* Whoever's delete takes the entry out counts it, here or in user space. */
static void forget_held(void) {
  u32 tid = current_numbers();
  struct held *held = held_threads.lookup(&tid);
  if (!held) return;
  u32 slot = held->head.workload;
  if (!held_threads.delete(&tid)) count_noted(slot, -1);
}

/* What we would like: held_threads.update(&tid, held). Kernels up to 6.1 take no memory of a ring for a value ("R3 type=alloc_mem
 * expected=fp, …"), and the stack has no room for it. 0: there is no room. */
static int note_held(u32 tid, struct held *held) {
  u32 zero = 0, slot = held->head.workload;
  struct held *empty = held_empty.lookup(&zero), *entry;
  forget_held(); /* of a call that got away */
  if (!empty || !has_place(slot) || held_threads.update(&tid, empty)) return 0;
  count_noted(slot, 1);
  entry = held_threads.lookup(&tid);
  if (!entry) return 0;
  *entry = *held;
  return 1;
}

/* Stop this thread, and say so. */
static int hold(struct call_key *key, struct call *call, struct stream *stream, struct place *at) {
  u32 tid = current_numbers();
  struct held *held = events.ringbuf_reserve(sizeof(*held));
  if (!held) return 0;
  held->head = head_of_task(bpf_get_current_task(), KIND_HELD, call->slot);
  held->key = *key;
  held->call = *call;
  held->born = stream->born;
  held->position = at->position;
  held->size = at->size;
  held->task = bpf_get_current_task();
  held->tid = tid;
  held->site = at->site;
  held->library = at->library;
  if (!note_held(tid, held) || bpf_send_signal_thread(STOP_SIGNAL)) {
    forget_held();
    events.ringbuf_discard(held, BPF_RB_NO_WAKEUP);
    return 0;
  }
  events.ringbuf_submit(held, BPF_RB_FORCE_WAKEUP);
  return 1;
}

/* At an entry, behind begin_call. One that the table has no place for cannot be held. */
static void hold_entry(struct call_key *key, struct call *call, u32 library) {
  struct enforcing *how = enforced(call->slot);
  if (!how || !call->size || !call->buffer) return;
  struct stream_key at = stream_key_of(call->handle);
  struct hold_from *from = hold_positions.lookup(&at);
  if (call->direction == DIRECTION_IN && (!from || !from->owed)) return;
  struct stream *stream = stream_of(&at, call, call->time, library);
  if (!stream) {
    not_held_at_entry(how, call);
    return;
  }
  int is_in = call->direction == DIRECTION_IN;
  u64 position = is_in ? stream->positions[1] : stream->positions[0];
  if (!is_in && from && position + call->size <= from->positions[0]) return;
  struct place place = {position, call->size, is_in ? SITE_OWED : SITE_WRITE, library};
  struct call *entry = calls.lookup(key);
  call->held = 1;
  if (entry) entry->held = 1;
  if (entry && hold(key, call, stream, &place)) return;
  call->held = 0;
  if (entry) entry->held = 0;
  not_held_at_entry(how, call);
}

/* At a return that moved `size` bytes, before they are counted. Whether they are held. */
static int hold_read(struct call_key *key, struct call *call, u64 size, u32 library) {
  struct stream_key at = stream_key_of(call->handle);
  struct hold_from *from = hold_positions.lookup(&at);
  struct stream *stream = streams.lookup(&at);
  if (!from || !stream || stream->positions[1] + size <= from->positions[1]) return 1;
  struct place place = {stream->positions[1], size, SITE_READ, library};
  return hold(key, call, stream, &place);
}

/* A replaced write: its caller must read the length that it offered, or the rest is still to be written. */
static int hold_replaced(struct call_key *key, struct call *call, u64 size, u32 library) {
  struct stream_key at = stream_key_of(call->handle);
  struct stream *stream = streams.lookup(&at);
  struct place place = {0, size, SITE_WRITE_RETURN, library};
  if (!stream) return 0;
  place.position = stream->positions[0];
  return hold(key, call, stream, &place);
}

/* What we would like: to return it. The verifier then walks all that follows once for each way that led here, and gives up (E2BIG, 6.18):
 * of what it reads from a map it knows nothing, so that all ways are one. */
static u64 forgotten(u64 value) {
  u32 zero = 0;
  u64 *place = forgetting.lookup(&zero);
  if (!place) return 0;
  *(volatile u64 *)place = value;
  return *(volatile u64 *)place;
}

/* What a returned call that moved `size` bytes has to be counted as: 0 when user space will let it be called once more. */
static u64 returned(struct call_key *key, struct call *call, u64 size, u32 library) {
  struct enforcing *how = enforced(call->slot);
  if (!how) return forgotten(size);
  if (call->direction == DIRECTION_OUT) end_handshake(call->slot, call->handle);
  if (call->direction == DIRECTION_IN && call->sent) return 0; /* paid by user space: nothing of it came from the server */
  int is_held = !call->held; /* it got here although nobody let it go: something took the signal away */
  if (is_held && call->direction == DIRECTION_IN) is_held = hold_read(key, call, size, library);
  u64 counted = size;
  if (call->direction == DIRECTION_OUT && call->sent) {
    counted = size == call->sent ? call->size : 0;
    if (is_held && (size != call->sent || size != call->size)) is_held = hold_replaced(key, call, size, library);
  }
  if (!is_held) {
    not_held(how);
    if (call->held && read_kernel_u32(bpf_get_current_task(), TASK_PTRACE)) bpf_send_signal(KILL_SIGNAL); /* not our death did it */
  }
  return forgotten(counted);
}
