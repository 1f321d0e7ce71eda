/* What governed workloads' sockets carry: cgroup_skb programs, which run for the sockets created in the cgroup. They let
 * every packet pass. A packet seen again (retransmitted, or by the hook of a cgroup above) lies before `next` and counts nothing. */

#include "packet.h"

#define FIN 1
#define SYN 2
#define RST 4
#define ACK 16
#define SYN_SENT 2 /* include/net/tcp_states.h */

static u32 slot_of(struct __sk_buff *skb) {
  u64 id = bpf_skb_cgroup_id(skb);
  struct group *group = groups.lookup(&id);
  return group ? slot_in(group) : 0;
}

/* Whether these packets are looked at: an area's hook meets those of all pods. Of a cgroup that is gone some may be under way. */
static int is_concerned(struct __sk_buff *skb) {
  u64 id = bpf_skb_cgroup_id(skb);
  struct group *group = groups.lookup(&id);
  return !group || slot_in(group);
}

/* Of what belongs to a packet's socket, whichever task is running. */
static struct head head_of_packet(u32 kind, u32 slot) {
  struct head head = {};
  head.time = bpf_ktime_get_boot_ns();
  head.kind = kind;
  head.workload = slot;
  return head;
}

/* As much of the payload as there is room for, a power of two (see fill() in copy.h for the mask); how many bytes. */
static int copy_payload(struct __sk_buff *skb, struct span *span, u8 *data, u64 limit) {
  u64 last = span->end - span->at - 1;
  if (last >= limit) last = limit - 1;
  asm volatile("%0 &= %1" : "+r"(last) : "i"(limit - 1));
  return bpf_skb_load_bytes(skb, span->at, data, last + 1) ? 0 : last + 1;
}

#include "tls_records.h"
#include "datagrams.h"
#include "answers.h"
#include "hellos.h"

static int find_payload(struct __sk_buff *skb, struct span *span) {
  u32 sequence = 0, transport = span->transport;
  u8 offset = 0;
  span->end = skb->len;
  span->at = transport + 8;
  if (span->protocol == UDP) {
    span->peer = peer_of(skb, span);
    return span->at <= span->end;
  }
  if (span->protocol != TCP || span->unfollowed) return 0;
  bpf_skb_load_bytes(skb, transport + 4, &sequence, 4);
  bpf_skb_load_bytes(skb, transport + 12, &offset, 1);
  bpf_skb_load_bytes(skb, transport + 13, &span->flags, 1);
  span->sequence = __builtin_bswap32(sequence) + (span->flags & SYN ? 1 : 0); /* a SYN may bring payload (RFC 7413), and counts one itself */
  span->at = transport + (offset >> 4) * 4;
  return span->at <= span->end;
}

/* What a TCP socket carried before this packet of its. RFC 4898 counts a client's SYN among the acknowledged bytes, as the kernel does. */
static void count_before(struct __sk_buff *skb, struct span *span, struct socket_opened *opened) {
  struct bpf_sock *sk = skb->sk;
  if (!sk) return;
  sk = bpf_sk_fullsock(sk);
  if (!sk) return;
  struct bpf_tcp_sock *tcp = bpf_tcp_sock(sk);
  if (!tcp) return;
  u64 out = tcp->bytes_acked + (u32)(span->sequence - tcp->snd_una);
  opened->before[0] = out ? out - 1 : 0;
  opened->before[1] = tcp->bytes_received;
}

/* Behind a routing header lies where it really goes, which its socket knows, as it does the ports of a packet that is not followed. */
static void name_ports(struct __sk_buff *skb, struct span *span, struct socket_opened *opened) {
  struct bpf_sock *sk = span->routed || span->unfollowed ? tcp_socket(skb) : 0;
  if (!sk) {
    bpf_skb_load_bytes(skb, span->transport, &opened->local_port, 2);
    bpf_skb_load_bytes(skb, span->transport + 2, &opened->remote_port, 2);
    opened->local_port = __builtin_bswap16(opened->local_port);
    opened->remote_port = __builtin_bswap16(opened->remote_port);
    return;
  }
  opened->local_port = sk->src_port;
  opened->remote_port = __builtin_bswap16(sk->dst_port);
  if (span->family == 4) return;
  u32 remote[4] = {sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3]};
  __builtin_memcpy(opened->remote, remote, sizeof(remote));
}

/* A socket's first packet out (UDP: to a peer) leaves in the thread that called connect or send. */
static int tell_opened(struct __sk_buff *skb, struct span *span) {
  struct socket_opened opened = {};
  opened.head = head_of_task(bpf_get_current_task(), KIND_SOCKET_OPENED, slot_of(skb));
  opened.cookie = span->cookie;
  if (span->family == 4) {
    bpf_skb_load_bytes(skb, 12, opened.local, 4);
    bpf_skb_load_bytes(skb, 16, opened.remote, 4);
  } else {
    bpf_skb_load_bytes(skb, 8, opened.local, 16);
    bpf_skb_load_bytes(skb, 24, opened.remote, 16);
  }
  name_ports(skb, span, &opened);
  opened.peer = span->peer;
  if (span->protocol == UDP) opened.quic = quic_version(skb, span);
  opened.family = span->family;
  opened.protocol = span->protocol;
  opened.late = span->protocol == TCP && !(span->flags & SYN);
  if (opened.late) count_before(skb, span, &opened);
  if (tell(&opened, sizeof(opened), opened.head.workload)) return 1;
  count_event_lost(opened.head.workload);
  return 0;
}

static void tell_closing(struct __sk_buff *skb, struct span *span, struct flow *out) {
  if (!out || out->closing) return;
  out->closing = 1;
  struct socket_closing closing = {};
  closing.head = head_of_packet(KIND_SOCKET_CLOSING, slot_of(skb));
  closing.cookie = span->cookie;
  if (!tell(&closing, sizeof(closing), closing.head.workload)) count_event_lost(closing.head.workload);
}

/* Move `at` behind what was counted before. A hole inside a body leaves the records' count whole; 0: nothing new. */
static int is_new(struct flow *flow, struct span *span) {
  s32 ahead = span->sequence - flow->walk.next;
  u32 size = span->end - span->at;
  if (ahead > 0) {
    if (flow->walk.remain >= ahead && !flow->walk.have) flow->walk.remain -= ahead;
    else flow->broken = BROKEN_HOLE;
  } else if (size <= -ahead) {
    return 0;
  } else {
    span->at += -ahead;
  }
  flow->walk.next = span->sequence + size;
  return 1;
}

static struct flow *flow_of(struct __sk_buff *skb, struct span *span) {
  struct flow_key key = {span->cookie, span->peer, span->direction};
  struct flow *flow = flow_at(&key);
  u32 slot = slot_of(skb);
  if (flow || !slot) return flow;
  struct flow fresh = {};
  fresh.workload = slot;
  fresh.walk.next = span->sequence;
  if (span->protocol == TCP && !(span->flags & SYN)) fresh.broken = BROKEN_LATE;
  if (!begin_flow(&key, &fresh)) {
    count_packet_lost(slot);
    return 0;
  }
  if (span->direction == DIRECTION_OUT && !tell_opened(skb, span)) drop_flow(&key, slot);
  return flow_at(&key);
}

/* A TCP socket's packet whose TCP header was not found: more extension headers than are followed, or another protocol (IPsec) around it.
 * That there was one is all that is known. */
static void note_unfollowed(struct __sk_buff *skb, struct span *span) {
  struct bpf_sock *sk = tcp_socket(skb);
  struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : 0;
  if (!tcp) return;
  span->flags = sk->state == SYN_SENT ? SYN : 0;
  span->sequence = tcp->snd_nxt;
  span->protocol = TCP;
  span->unfollowed = 1;
  struct flow_key out = {span->cookie, 0, DIRECTION_OUT};
  struct flow *flow = span->direction == DIRECTION_OUT ? flow_of(skb, span) : flow_at(&out);
  if (flow) flow->unfollowed = 1;
}

/* Whether there are records to count. */
static int take_payload(struct __sk_buff *skb, struct span *span, struct flow *flow, struct flow *back) {
  if (!flow->tls && span->protocol == TCP) look_for_hello(skb, span, flow, back);
  if (span->direction == DIRECTION_IN) look_for_answer(skb, span, flow);
  flow->wire += span->end - span->at;
  flow->walk.at = span->at;
  flow->walk.end = span->end;
  flow->awaited = span->direction == DIRECTION_OUT ? awaited() : 0;
  return flow->tls && !flow->broken;
}

static int look(struct __sk_buff *skb, u32 direction) {
  struct span span = {};
  span.direction = direction;
  if (!is_concerned(skb) || !find_transport(skb, &span)) return 0;
  span.cookie = bpf_get_socket_cookie(skb);
  if (span.protocol != TCP && span.protocol != UDP) note_unfollowed(skb, &span);
  if (!find_payload(skb, &span)) return 0;
  struct flow_key other = {span.cookie, span.peer, !direction};
  struct flow *back = flow_at(&other);
  if (direction == DIRECTION_IN && !back) return 0; /* nothing was sent there: a listening socket, or a packet to nobody */
  if (direction == DIRECTION_OUT && (span.flags & (SYN | ACK)) == (SYN | ACK)) return 0; /* of no socket yet, in anybody's thread */
  struct flow *flow = flow_of(skb, &span);
  if (!flow) return 0;
  if (span.flags & (FIN | RST)) tell_closing(skb, &span, direction == DIRECTION_OUT ? flow : back);
  if (span.at >= span.end || (span.protocol == TCP && !is_new(flow, &span))) return 0;
  return take_payload(skb, &span, flow, back);
}

int on_egress(struct __sk_buff *skb) {
  if (look(skb, DIRECTION_OUT)) records.call(skb, DIRECTION_OUT);
  return 1;
}
int on_ingress(struct __sk_buff *skb) {
  if (look(skb, DIRECTION_IN)) records.call(skb, DIRECTION_IN);
  return 1;
}

int on_records_out(struct __sk_buff *skb) {
  struct flow_key key = {bpf_get_socket_cookie(skb), 0, DIRECTION_OUT};
  struct flow *flow = flows.lookup(&key);
  if (!flow) return 1;
  int more = take_records(skb, flow, 0);
  if (flow->awaited == MET) tell_tied(key.cookie, slot_of(skb));
  if (!more) return 1;
  records.call(skb, DIRECTION_OUT);
  flow->broken = BROKEN_CROWDED;
  return 1;
}

int on_records_in(struct __sk_buff *skb) {
  struct flow_key key = {bpf_get_socket_cookie(skb), 0, DIRECTION_IN}, other = {key.cookie, 0, DIRECTION_OUT};
  struct flow *flow = flows.lookup(&key);
  if (!flow || !take_records(skb, flow, flows.lookup(&other))) return 1;
  records.call(skb, DIRECTION_IN);
  flow->broken = BROKEN_CROWDED;
  return 1;
}
