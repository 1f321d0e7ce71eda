/* The second lock: while nobody holds its calls, a workload says no TLS.
 *
 * It sits on the cgroup of a workload whose failure means deny, attached without a link: it stays when the agent is gone, with its map, until
 * it is taken off or the cgroup ends. While the agent's beat is fresh it only learns which connections speak TLS. When the beat is older
 * than LOCK_STALE_NS, bytes of such connections leave no more: TCP sends them again later, if there is a later. Handshakes of TCP, its
 * acknowledgements and ends pass, and connections whose bytes were never TLS; but a TLS record never passes, on whichever connection
 * (proxies: first a CONNECT or SOCKS greeting, then TLS). */

#include <uapi/linux/bpf.h>

#include "packet.h"

#define LOCK_PASS 1
#define LOCK_DROP 0
#define LOCK_TLS 1
#define LOCK_PLAIN 2

struct lock_state {
  u64 beat;    /* boot time of the agent's last sign of life, ns */
  u64 dropped; /* packets */
  u64 open;    /* until this boot time nothing is dropped, whoever lives (break-glass) */
};

BPF_ARRAY(lock_state, struct lock_state, 1);
BPF_TABLE("lru_hash", u64, u32, lock_sockets, 16384); /* by socket cookie: LOCK_TLS, LOCK_PLAIN */

/* Where the payload of a TCP segment begins; 0: there is none, or it is no TCP. */
static u32 lock_payload(struct __sk_buff *skb) {
  u8 family = 0, protocol = 0, offset = 0;
  u32 transport = transport_of(skb, &family, &protocol);
  if (protocol != TCP || bpf_skb_load_bytes(skb, transport + 12, &offset, 1)) return 0;
  u32 at = transport + (offset >> 4) * 4;
  return at < skb->len ? at : 0;
}

/* Whether the bytes begin as a TLS record does (RFC 8446, 5.1): type 20 to 23, version 3.x. */
static int lock_is_record(struct __sk_buff *skb, u32 at) {
  u8 head[2] = {};
  return !bpf_skb_load_bytes(skb, at, head, 2) && head[0] >= 20 && head[0] <= 23 && head[1] == 3;
}

int lock_egress(struct __sk_buff *skb) {
  u32 zero = 0, at = lock_payload(skb);
  struct lock_state *state = lock_state.lookup(&zero);
  if (!at || !state) return LOCK_PASS;
  u64 cookie = bpf_get_socket_cookie(skb), now = bpf_ktime_get_boot_ns();
  int is_record = lock_is_record(skb, at);
  u32 *known = lock_sockets.lookup(&cookie);
  u32 kind = known ? *known : 0;
  if (now < state->beat + LOCK_STALE_NS || now < state->open) {
    if (is_record && kind != LOCK_TLS) kind = LOCK_TLS;
    else if (!kind) kind = LOCK_PLAIN;
    else return LOCK_PASS;
    lock_sockets.update(&cookie, &kind);
    return LOCK_PASS;
  }
  if (kind == LOCK_PLAIN && !is_record) return LOCK_PASS;
  if (!kind && !is_record) { /* begun while nobody was there: its first bytes say what it is */
    kind = LOCK_PLAIN;
    lock_sockets.update(&cookie, &kind);
    return LOCK_PASS;
  }
  __sync_fetch_and_add(&state->dropped, 1);
  return LOCK_DROP;
}
