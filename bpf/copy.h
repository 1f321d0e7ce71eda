/* Copy a call's bytes into size-classed records, and say what could not be copied. */

#define CHUNK(name, limit) \
  struct name {            \
    struct tls tls;        \
    u8 data[limit];        \
  }
CHUNK(chunk_256, 256);
CHUNK(chunk_4k, 4096);
CHUNK(chunk_16k, 16384);
CHUNK(chunk_32k, CHUNK_LIMIT);

#define RING_SIZE (RING_PAGES * 4096ULL)
#define LOOPS 512 /* whole chunks in one call: 16 MiB */

/* Bulk data leaves an eighth of the ring to records that say what happened to it; those that say what was lost leave
 * half of that to processes and ends of objects. */
static int has_left(u64 bytes) { return bpf_ringbuf_query(EVENTS, BPF_RB_AVAIL_DATA) <= RING_SIZE - bytes; }

/* User space looks every few milliseconds; it is woken only when half of the ring is taken. A wake-up per record
 * made a TLS call half as expensive again (measured: x6.9 against x4.8). Without a branch, which the verifier would walk
 * in each turn of send()'s loop. */
static u64 wake(void) {
  u64 is_half_full = (RING_SIZE / 2 - bpf_ringbuf_query(EVENTS, BPF_RB_AVAIL_DATA)) >> 63;
  return BPF_RB_NO_WAKEUP + is_half_full * (BPF_RB_FORCE_WAKEUP - BPF_RB_NO_WAKEUP);
}

static void count_sent(u32 slot, u64 size) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->sent, size);
}

#define UNBOUNDED (1LL << 62)
#define STREAMS 65536

static int is_alone(void) {
  u32 zero = 0;
  struct governed *now = governed.lookup(&zero);
  return !now || now->count < 2;
}

/* Bytes that a workload may still put into the ring. Where several are governed, one may have at most twice as much in it as is
 * free: one that floods reaches two thirds, and there is always room for those that ask for little (agent/deliver/shares.py). */
static s64 share_left(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  struct taken *back = taken.lookup(&slot);
  if (is_alone() || !count || !back) return UNBOUNDED;
  s64 free = RING_SIZE - RING_SIZE / 8 - bpf_ringbuf_query(EVENTS, BPF_RB_AVAIL_DATA);
  return 2 * free - (s64)(count->sent - back->bytes);
}

/* What says that something happened: whole ring but for the share. */
static int may_tell(u32 slot) { return share_left(slot) > 0 || has_left(RING_SIZE / 2); }

/* Such a record, of that workload; 0: it was not told. */
static int tell(void *record, u64 size, u32 slot) {
  if (!may_tell(slot) || events.ringbuf_output(record, size, wake())) return 0;
  count_sent(slot, size);
  return 1;
}

/* Half of the table is for the others. */
static int may_begin(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  struct taken *back = taken.lookup(&slot);
  return is_alone() || !count || !back || (s64)(count->begun - count->ended - back->streams) < STREAMS / 2;
}

#define FLOWS 65536

/* As may_begin, of connections. */
static int may_watch(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  struct taken *back = taken.lookup(&slot);
  return is_alone() || !count || !back || (s64)(count->flows - back->flows) < FLOWS / 2;
}

static void count_flow(u32 slot, s64 number) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->flows, number);
}

static void count_packet_lost(u32 slot) {
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->packets, 1);
}

/* What we would like: `bpf_probe_read_user(data, tls->kept, from)`. The verifier: "R2 min value is negative" or
 * "unbounded memory access": it forgets a bound that was compared in another register. The mask keeps the bound in
 * the register that is passed, minus one so that a full record does not become an empty one (5.10, 6.1, 6.12, 6.18). */
static int fill(struct tls *to, u8 *data, struct tls *tls, u64 from, u64 limit) {
  u64 last = tls->kept - 1;
  asm volatile("%0 &= %1" : "+r"(last) : "i"(limit - 1));
  *to = *tls;
  return last >= limit || read_user(data, last + 1, (void *)from);
}

/* One function per size: bcc rewrites map calls in the text of a file and refuses them inside macros. */
static int send_256(struct tls *tls, u64 from) {
  struct chunk_256 *chunk = events.ringbuf_reserve(sizeof(*chunk));
  if (!chunk) return CAUSE_RING_FULL;
  if (fill(&chunk->tls, chunk->data, tls, from, sizeof(chunk->data))) {
    events.ringbuf_discard(chunk, BPF_RB_NO_WAKEUP);
    return CAUSE_PAGE_ABSENT;
  }
  events.ringbuf_submit(chunk, wake());
  count_sent(tls->head.workload, sizeof(*chunk));
  return CAUSE_NONE;
}

static int send_4k(struct tls *tls, u64 from) {
  struct chunk_4k *chunk = events.ringbuf_reserve(sizeof(*chunk));
  if (!chunk) return CAUSE_RING_FULL;
  if (fill(&chunk->tls, chunk->data, tls, from, sizeof(chunk->data))) {
    events.ringbuf_discard(chunk, BPF_RB_NO_WAKEUP);
    return CAUSE_PAGE_ABSENT;
  }
  events.ringbuf_submit(chunk, wake());
  count_sent(tls->head.workload, sizeof(*chunk));
  return CAUSE_NONE;
}

static int send_16k(struct tls *tls, u64 from) {
  struct chunk_16k *chunk = events.ringbuf_reserve(sizeof(*chunk));
  if (!chunk) return CAUSE_RING_FULL;
  if (fill(&chunk->tls, chunk->data, tls, from, sizeof(chunk->data))) {
    events.ringbuf_discard(chunk, BPF_RB_NO_WAKEUP);
    return CAUSE_PAGE_ABSENT;
  }
  events.ringbuf_submit(chunk, wake());
  count_sent(tls->head.workload, sizeof(*chunk));
  return CAUSE_NONE;
}

static int send_32k(struct tls *tls, u64 from) {
  struct chunk_32k *chunk = events.ringbuf_reserve(sizeof(*chunk));
  if (!chunk) return CAUSE_RING_FULL;
  if (fill(&chunk->tls, chunk->data, tls, from, sizeof(chunk->data))) {
    events.ringbuf_discard(chunk, BPF_RB_NO_WAKEUP);
    return CAUSE_PAGE_ABSENT;
  }
  events.ringbuf_submit(chunk, wake());
  count_sent(tls->head.workload, sizeof(*chunk));
  return CAUSE_NONE;
}

/* A whole chunk has a constant size, so that the verifier walks it 512 times cheaply. */
static int send_whole(struct tls *tls, u64 from) {
  struct chunk_32k *chunk = events.ringbuf_reserve(sizeof(*chunk));
  if (!chunk) return CAUSE_RING_FULL;
  chunk->tls = *tls;
  if (read_user(chunk->data, CHUNK_LIMIT, (void *)from)) {
    events.ringbuf_discard(chunk, BPF_RB_NO_WAKEUP);
    return CAUSE_PAGE_ABSENT;
  }
  events.ringbuf_submit(chunk, wake());
  return CAUSE_NONE;
}

static int send_rest(struct tls *tls, u64 from) {
  if (tls->kept <= 256) return send_256(tls, from);
  if (tls->kept <= 4096) return send_4k(tls, from);
  if (tls->kept <= 16384) return send_16k(tls, from);
  return send_32k(tls, from);
}

/* If even this does not fit, or its workload has had a sixteenth of the ring more than its share, the next record's position
 * shows the gap, and at the end the map of streams does. */
static void send_lost(struct tls *tls, u64 size, u32 cause) {
  u32 slot = tls->head.workload;
  struct counters *count = counters.lookup(&slot);
  if (count) __sync_fetch_and_add(&count->chunks, 1);
  tls->head.kind = KIND_LOST;
  tls->size = size;
  tls->kept = 0;
  tls->cause = cause;
  if (!has_left(RING_SIZE / 16) || share_left(slot) + (s64)(RING_SIZE / 16) <= 0) return;
  if (!events.ringbuf_output(tls, sizeof(*tls), wake())) count_sent(slot, sizeof(*tls));
}

static int is_strict(u32 slot) {
  u32 *is = strict.lookup(&slot);
  return is && *is;
}

/* Why no more bulk data goes into the ring. */
static u32 why_not(s64 share, u64 done) {
  if (!has_left(RING_SIZE / 8)) return CAUSE_RING_FULL;
  return share < (s64)done ? CAUSE_OVER_SHARE : CAUSE_NONE;
}

/* Send the `tls->size` bytes at `from`, which begin at `tls->position`.
 *
 * Whole chunks in a loop, the rest after it: with the size classes inside the loop the verifier walks every way out
 * 512 times and gives up after a million instructions (E2BIG; bcc calls it "Program too large"; 6.18). How far it is
 * comes from `position`, of which neither the verifier nor (hence the asm) the compiler knows a number for each turn: with
 * one, all that follows the loop is walked 512 times (1,000,001 instructions on 6.1, 280,000 on 6.18). */
static void send(struct tls *tls, u64 from) {
  u64 begin = tls->position, end = begin + tls->size, position = begin;
  s64 share = share_left(tls->head.workload);
  u32 cause = CAUSE_NONE;
  tls->kept = CHUNK_LIMIT;
  for (int i = 0; i < LOOPS; i++) {
    if (end - position < CHUNK_LIMIT) break;
    cause = why_not(share, position - begin);
    if (!cause) cause = send_whole(tls, from + (position - begin));
    if (cause) break;
    position += CHUNK_LIMIT;
    asm volatile("" : "+r"(position));
    tls->position = position;
  }
  u64 rest = end - position, at = from + (position - begin);
  if (position != begin) count_sent(tls->head.workload, (position - begin) / CHUNK_LIMIT * sizeof(struct chunk_32k));
  if (!cause && rest >= CHUNK_LIMIT) cause = CAUSE_TOO_LONG;
  if (!cause && rest) {
    tls->kept = rest;
    cause = why_not(share, position - begin);
    if (!cause) cause = send_rest(tls, at);
  }
  if (!cause) return;
  tls->cause = cause;
  if ((cause == CAUSE_OVER_SHARE && !is_strict(tls->head.workload)) || !hold_to_read(tls, at, rest)) send_lost(tls, rest, cause);
}
