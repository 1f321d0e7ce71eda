/* The second lock: of an enforced workload's TLS only what was let go leaves, and where nobody decides any more, none.
 *
 * It sits on the workload's cgroup, attached without a link: it stays when the agent is gone, with its maps, until it is taken off or the
 * cgroup ends. The record headers that leave on a connection (RFC 8446 §5.1, 5246 §6.2) are followed from its SYN on. As soon as a
 * record is seen to be of a call that the probes saw (tie.h), the connection belongs to that TLS object, and its application bytes are
 * compared with what user space let go (`released`). What is more is dropped, with all that comes behind it: TCP sends it again, so what
 * is counted is what left. Records' overhead is known by the suite; where it is not exact (CBC, a hello that was not seen) the least is
 * taken that a record can hold. Handshakes are free, and two small records besides: an alert and an answer to KeyUpdate.
 *
 * Where TLS that nobody reads may not leave (`covers`), a ClientHello needs an object that shakes hands (vouch.h), and a connection that
 * belongs to no object pays from what was let go of objects that have no connection.
 *
 * When the agent's beat is older than LOCK_STALE_NS: where failure means deny, no byte of a connection that speaks TLS leaves, and no
 * record on any other (proxies: first CONNECT, then TLS); elsewhere everything does. */

#define LOCK_PASS 1
#define LOCK_DROP 0
#define LOCK_FREE 17        /* bytes of records of LOCK_ALERT or LOCK_UPDATE on one connection: no request fits in */
#define LOCK_ALERT 2        /* RFC 8446 §6 */
#define LOCK_UPDATE 5       /* §4.6.3 */
#define LOCK_HANDSHAKE 16384 /* encrypted bytes of a handshake with a certificate of the client's */
#define LOCK_LEVELS 12      /* of cgroups */

/* LOCK_LATE: it was there before, or moved while we looked away; it is not counted. */
enum lock_kind { LOCK_NEW, LOCK_PLAIN, LOCK_TLS, LOCK_LATE };

/* How far a connection has come: application bytes behind the handshake, encrypted ones of it, and of LOCK_FREE. */
struct lock_count {
  struct walk walk;
  u64 bytes;
  u64 handshake;
  u32 free;
  u32 is_over; /* the handshake */
};

/* A connection. `left`: all that did leave; `ahead`: with the packet under way. */
struct lock_socket {
  struct lock_count left;
  struct lock_count ahead;
  struct object object; /* whose calls it carries; handle 0: not known */
  u64 workload;         /* cgroup id */
  u64 awaited;          /* size of the write whose record may be in the packet under way */
  u16 cipher;
  u8 kind;
  u8 denied; /* enum denied: nothing leaves any more */
  u32 pad;
};

BPF_ARRAY(lock_state, struct lock_state, 1);

/* cgroup id -> how it is locked; by agent/hold/lock.py. */
BPF_HASH(lock_workloads, u64, struct lock_workload, 1024);

/* Socket cookie -> the connection. LRU, because ends are not told. */
BPF_TABLE("lru_hash", u64, struct lock_socket, lock_sockets, 16384);

/* 0 -> zeros: a value that does not fit on the stack. Never written. */
BPF_ARRAY(lock_empty, struct lock_socket, 1);

/* 0 -> lock_more, which goes on with a packet of many records; by agent/hold/lock.py. Emptied when the agent ends: such packets wait. */
BPF_PROG_ARRAY(lock_going_on, 1);

/* Whether the bytes begin as a TLS record does: type 20 to 23, version 3.x. */
static int is_record(struct __sk_buff *skb, u32 at) {
  u8 head[2] = {};
  return !bpf_skb_load_bytes(skb, at, head, 2) && head[0] >= 20 && head[0] <= 23 && head[1] == 3;
}

static int is_client_hello(struct __sk_buff *skb, u32 at) {
  u8 head[6] = {};
  return !bpf_skb_load_bytes(skb, at, head, 6) && head[0] == HANDSHAKE && head[1] == 3 && head[5] == CLIENT_HELLO;
}

#define HELLO_HEAD 6

static int is_of_hello(u32 place, u8 byte) {
  if (place == 0) return byte == HANDSHAKE;
  if (place == 1) return byte == 3;
  return place != 5 || byte == CLIENT_HELLO;
}

/* How much of a ClientHello's head has been said behind a packet, `said` of it in those before; 0: it says something else. */
static u32 hello_head(struct __sk_buff *skb, u32 at, u32 end, u32 said) {
  for (int i = 0; i < HELLO_HEAD; i++) {
    u8 byte = 0;
    if (said >= HELLO_HEAD || at >= end) break;
    bpf_skb_load_bytes(skb, at, &byte, 1);
    if (!is_of_hello(said, byte)) return 0;
    said++;
    at++;
  }
  return said;
}

/* Whether a ClientHello begins at `at`, or began in the packets before, of which `walk` has the first bytes: it may be cut anywhere. */
static int begins_hello(struct __sk_buff *skb, struct walk *walk, u32 at, u32 end) {
  u32 said = hello_head(skb, at, end, walk->have);
  if (!said && walk->have) {
    walk->have = 0;
    said = hello_head(skb, at, end, 0);
  }
  if (said >= HELLO_HEAD) return 1;
  walk->at = at;
  walk->end = end;
  if (said) take_header(skb, walk);
  else walk->have = 0;
  return 0;
}

static int lock_drop(void) {
  u32 zero = 0;
  struct lock_state *state = lock_state.lookup(&zero);
  if (state) __sync_fetch_and_add(&state->dropped, 1);
  return LOCK_DROP;
}

static int lock_deny(struct __sk_buff *skb, struct lock_socket *socket, u32 why) {
  if (!socket->denied) {
    struct socket_denied denied = {};
    denied.head = head_of_packet(KIND_SOCKET_DENIED, slot_of(skb));
    denied.cookie = bpf_get_socket_cookie(skb);
    denied.size = skb->len;
    denied.why = why;
    if (!tell(&denied, sizeof(denied), denied.head.workload)) count_event_lost(denied.head.workload);
    socket->denied = why;
  }
  return lock_drop();
}

/* The locked workload that a packet's socket is of, by its cgroup or one around it; 0: none. */
static u64 locked(struct __sk_buff *skb) {
  u64 id = bpf_skb_cgroup_id(skb);
  if (lock_workloads.lookup(&id)) return id;
#pragma unroll
  for (int level = 1; level < LOCK_LEVELS; level++) {
    id = bpf_skb_ancestor_cgroup_id(skb, level);
    if (id && lock_workloads.lookup(&id)) return id;
  }
  return 0;
}

/* A connection's first packet here. Of one that was there before nothing is known but what it says now. */
static struct lock_socket *lock_meet(struct __sk_buff *skb, struct span *span) {
  u32 zero = 0;
  struct lock_socket *made = lock_empty.lookup(&zero);
  u64 workload = span->flags & SYN || span->at < span->end ? locked(skb) : 0;
  if (!workload || !made || lock_sockets.update(&span->cookie, made)) return 0;
  made = lock_sockets.lookup(&span->cookie);
  if (!made) return 0;
  made->workload = workload;
  made->left.walk.next = span->sequence;
  if (!(span->flags & SYN)) made->kind = is_record(skb, span->at) && !is_client_hello(skb, span->at) ? LOCK_LATE : LOCK_PLAIN;
  return made;
}

/* What a suite adds to a record's content at the least. */
static u32 overhead(u16 cipher) {
  if (cipher == 0x1305) return 9; /* CCM_8 */
  if (cipher >> 8 == 0x13) return 17;
  if (cipher >= 0xcca8 && cipher <= 0xccaa) return 16;
  if (!cipher || (cipher >= 0x009c && cipher <= 0x009f)) return 24; /* not known: the most of those that are exact */
  if (cipher >> 8 == 0xc0 && (cipher & 0xff) >= 0x2b && (cipher & 0xff) <= 0x30) return 24;
  return 80; /* CBC: a vector of 16, a hash of up to 48, padding */
}

/* Whether a record is 1.3's Finished: a head of 4 and the suite's hash. */
static int is_finished(u16 cipher, u32 length) { return length == overhead(cipher) + (cipher == 0x1302 ? 52 : 36); }

static void lock_count(struct lock_socket *socket, u32 length) {
  struct lock_count *count = &socket->ahead;
  u32 extra = overhead(socket->cipher), content = length > extra ? length - extra : 0;
  int is_met = socket->awaited && socket->awaited != MET && is_record_of(length, socket->awaited);
  if (is_met) socket->awaited = MET;
  if (!count->is_over) {
    count->is_over = is_met || is_finished(socket->cipher, length);
    if (!is_met) {
      count->handshake += content;
      return;
    }
  }
  int is_small = content == LOCK_ALERT || content == LOCK_UPDATE;
  if (is_small && socket->cipher >> 8 == 0x13 && count->free + content <= LOCK_FREE) count->free += content;
  else count->bytes += content;
}

/* Spend from what was let go of an object; 0: it is not enough. */
static int spend(struct object *object, s64 size) {
  struct spent *gone = spent_by(object);
  struct released *may = released.lookup(object);
  if (!gone || gone->bytes + size > (s64)(may ? may->bytes : 0)) return 0;
  __sync_fetch_and_add(&gone->bytes, size);
  return 1;
}

/* From now on the connection belongs to the object that the current task writes to; what it carried before, too. */
static void lock_tie(struct lock_socket *socket, struct lock_workload *workload) {
  struct pending *pending = just_begun();
  if (!pending) return;
  struct object object = {pending->handle, pending->pid, 0}, all = {socket->workload, 0, 0};
  struct released *may = released.lookup(&object);
  int is_first = !socket->object.handle;
  socket->object = object;
  socket->left.is_over = 1;
  if (!is_first) return;
  struct spent *gone = owe(&object, socket->left.bytes);
  if (gone) __sync_fetch_and_add(&gone->ties, 1);
  if (workload->covers) owe(&all, (may ? may->pooled : 0) - socket->left.bytes);
}

/* The write whose record may be in this packet, unless it is of the object that the connection belongs to; or of a forked one. */
static u64 lock_awaited(struct lock_socket *socket, u64 cookie) {
  struct pending *pending = just_begun();
  if (!pending || (pending->cookie && pending->cookie != cookie)) return 0;
  u64 handle = socket->object.handle;
  if (handle && (handle != pending->handle || socket->object.pid == pending->pid)) return 0;
  return pending->size;
}

/* All records of the packet are counted. */
static int lock_decide(struct __sk_buff *skb, struct lock_socket *socket, struct lock_workload *workload) {
  if (socket->awaited == MET) lock_tie(socket, workload);
  struct object payer = socket->object;
  s64 more = socket->ahead.bytes - socket->left.bytes;
  if (!payer.handle) payer.handle = socket->workload;
  if (socket->object.handle || workload->covers) {
    u32 why = socket->object.handle ? DENIED_BEYOND : DENIED_BYTES;
    if (!socket->object.handle && socket->ahead.handshake > LOCK_HANDSHAKE) return lock_deny(skb, socket, why);
    if (more > 0 && !spend(&payer, more)) return lock_deny(skb, socket, why);
  }
  socket->left = socket->ahead;
  return LOCK_PASS;
}

/* As take_records. */
static int lock_take(struct __sk_buff *skb, struct lock_socket *socket) {
  struct walk *walk = &socket->ahead.walk;
  for (int i = 0; i < RECORDS; i++) {
    if (!next_record(skb, walk)) return 0;
    if (walk->header[0] == APPLICATION_DATA) lock_count(socket, walk->remain);
  }
  skip_body(walk);
  return walk->at < walk->end;
}

int lock_more(struct __sk_buff *skb) {
  u64 cookie = bpf_get_socket_cookie(skb);
  struct lock_socket *socket = lock_sockets.lookup(&cookie);
  if (!socket) return LOCK_PASS;
  struct lock_workload *workload = lock_workloads.lookup(&socket->workload);
  if (!workload) return LOCK_PASS;
  if (!lock_take(skb, socket)) return lock_decide(skb, socket, workload);
  lock_going_on.call(skb, 0);
  return lock_drop();
}

/* Nobody decides, and that means allow; or the glass is broken: what passes is not counted, then or later. */
static int look_away(struct __sk_buff *skb, struct span *span, struct lock_socket *socket) {
  socket->left.walk.next = span->sequence + (span->end - span->at);
  socket->left.walk.have = 0;
  if (span->unfollowed) socket->kind = LOCK_LATE;
  if (socket->kind == LOCK_TLS || is_record(skb, span->at)) socket->kind = LOCK_LATE;
  else if (socket->kind == LOCK_NEW) socket->kind = LOCK_PLAIN;
  return LOCK_PASS;
}

#define HELLO 2

/* Whether TLS begins with this packet; HELLO: it is a ClientHello. A connection that said something else before (a proxy's) may begin with
 * one any time, in pieces too; a retransmission brings no piece twice. */
static int begins_tls(struct __sk_buff *skb, struct span *span, struct lock_socket *socket) {
  struct walk *walk = &socket->left.walk;
  s32 behind = walk->next - span->sequence, size = span->end - span->at;
  if (behind < 0) walk->have = 0;
  if (behind < 0) behind = 0;
  if (behind >= size) return 0;
  if (socket->kind == LOCK_NEW && size >= HELLO_HEAD && is_record(skb, span->at)) return is_client_hello(skb, span->at) ? HELLO : 1;
  if (begins_hello(skb, walk, span->at + behind, span->end)) {
    walk->next = span->sequence + behind;
    return HELLO;
  }
  walk->next = span->sequence + size;
  socket->kind = LOCK_PLAIN;
  return 0;
}

/* Nobody decides, and that means deny. */
static int keep_silent(struct __sk_buff *skb, struct span *span, struct lock_socket *socket) {
  if (socket->kind > LOCK_PLAIN || is_record(skb, span->at) || begins_tls(skb, span, socket)) return lock_drop();
  return LOCK_PASS;
}

/* The suite, once the server has said it. */
static void learn_cipher(struct lock_socket *socket, u64 cookie) {
  struct flow_key key = {cookie, 0, DIRECTION_OUT};
  struct flow *flow = socket->cipher ? 0 : flows.lookup(&key);
  if (!flow || !flow->cipher) return;
  socket->cipher = flow->cipher;
  if (flow->cipher >> 8 != 0x13) socket->left.is_over = 1; /* before 1.3 a handshake's records are of another type */
}

/* Where the new bytes of a packet begin; 0: there are none. Behind a packet that did not leave nothing does. */
static int lock_advance(struct span *span, struct lock_socket *socket) {
  s32 behind = socket->left.walk.next - span->sequence;
  u32 size = span->end - span->at;
  socket->ahead = socket->left;
  if (behind < 0 || behind >= size) return 0;
  socket->ahead.walk.next = span->sequence + size;
  socket->ahead.walk.at = span->at + behind;
  socket->ahead.walk.end = span->end;
  return 1;
}

static int lock_look(struct __sk_buff *skb, struct span *span, struct lock_socket *socket, struct lock_workload *workload) {
  if (socket->denied) return lock_drop();
  if (socket->kind == LOCK_LATE) return LOCK_PASS;
  int begins = socket->kind == LOCK_TLS ? 0 : begins_tls(skb, span, socket);
  if (begins) socket->kind = LOCK_TLS;
  if (socket->kind != LOCK_TLS) return LOCK_PASS;
  if (begins == HELLO && workload->covers && !is_vouched_for()) return lock_deny(skb, socket, DENIED_HELLO);
  learn_cipher(socket, span->cookie);
  if (!lock_advance(span, socket)) return (s32)(span->sequence - socket->left.walk.next) > 0 ? lock_drop() : LOCK_PASS;
  socket->awaited = lock_awaited(socket, span->cookie);
  return -1;
}

/* Whether a packet is of TCP. One of a TCP socket whose header is not found counts as payload, which does not leave. */
static int lock_finds(struct __sk_buff *skb, struct span *span) {
  if (span->protocol == TCP) return find_payload(skb, span);
  span->unfollowed = span->protocol != UDP && tcp_socket(skb);
  span->end = span->unfollowed;
  return span->unfollowed;
}

int lock_egress(struct __sk_buff *skb) {
  struct span span = {};
  u32 zero = 0;
  struct lock_state *state = lock_state.lookup(&zero);
  if (!state || !find_transport(skb, &span) || !lock_finds(skb, &span)) return LOCK_PASS;
  span.cookie = bpf_get_socket_cookie(skb);
  struct lock_socket *socket = lock_sockets.lookup(&span.cookie);
  if (!socket) socket = lock_meet(skb, &span);
  struct lock_workload *workload = socket ? lock_workloads.lookup(&socket->workload) : 0;
  if (!workload || span.at >= span.end) return LOCK_PASS;
  u64 now = bpf_ktime_get_boot_ns();
  int is_stale = now >= state->beat + LOCK_STALE_NS;
  if (now < state->open || (is_stale && !workload->is_strict)) return look_away(skb, &span, socket);
  if (span.unfollowed) return lock_deny(skb, socket, DENIED_HEADERS);
  if (is_stale) return keep_silent(skb, &span, socket);
  int verdict = lock_look(skb, &span, socket, workload);
  if (verdict >= 0) return verdict;
  if (!lock_take(skb, socket)) return lock_decide(skb, socket, workload);
  lock_going_on.call(skb, 0);
  return lock_drop();
}
