/* UDP: whom a socket speaks with, what that carried, and whether it begins as QUIC does. */

/* 0 -> where the hash of a peer begins; by Tracer, anew at each start, so that nobody can make two of his peers look like one. */
BPF_ARRAY(peer_seed, u64, 1);

/* A socket may send to many: 64 bits keep apart all that the table has place for. Never 0. */
static u64 peer_of(struct __sk_buff *skb, struct span *span) {
  u32 words[5] = {}, is_in = span->direction == DIRECTION_IN;
  if (span->family == 4) bpf_skb_load_bytes(skb, is_in ? 12 : 16, words, 4);
  else bpf_skb_load_bytes(skb, is_in ? 8 : 24, words, 16);
  bpf_skb_load_bytes(skb, span->transport + (is_in ? 0 : 2), &words[4], 2);
  int zero = 0;
  u64 *seed = peer_seed.lookup(&zero);
  u64 hash = seed ? *seed : 0;
  for (int i = 0; i < 5; i++) {
    hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32;
  }
  return hash | 1;
}

static struct flow *flow_at(struct flow_key *key) { return key->peer ? datagrams.lookup(key) : flows.lookup(key); }

/* 0: there is no place for it. */
static int begin_flow(struct flow_key *key, struct flow *fresh) {
  if (key->peer) return !datagrams.update(key, fresh);
  if (!may_watch(fresh->workload) || flows.update(key, fresh)) return 0;
  count_flow(fresh->workload, 1);
  return 1;
}

/* It could not be told: its next packet is its first once more. Of UDP, one datagram is often all there is. */
static void drop_flow(struct flow_key *key, u32 slot) {
  if (!key->peer && !flows.delete(key)) count_flow(slot, -1);
}

#define QUIC_SMALLEST 1200 /* RFC 9000 §14.1: of a datagram with a client's Initial */
#define QUIC_V1 0x00000001
#define QUIC_V2 0x6b3343cf /* RFC 9369: its Initial has another number */
#define LONG_HEADER 0xc0   /* with the fixed bit, RFC 9000 §17.2 */
#define PACKET_TYPE 0x30
#define INITIAL_V2 0x10

/* The version of a datagram that begins with a client's Initial packet; 0: it does not. Drafts are 0xff0000NN. */
static u32 quic_version(struct __sk_buff *skb, struct span *span) {
  u8 first = 0;
  u32 version = 0;
  if (span->end - span->at < QUIC_SMALLEST) return 0;
  bpf_skb_load_bytes(skb, span->at, &first, 1);
  bpf_skb_load_bytes(skb, span->at + 1, &version, 4);
  version = __builtin_bswap32(version);
  if (version != QUIC_V1 && version != QUIC_V2 && version >> 8 != 0xff0000) return 0;
  if ((first & LONG_HEADER) != LONG_HEADER) return 0;
  return (first & PACKET_TYPE) == (version == QUIC_V2 ? INITIAL_V2 : 0) ? version : 0;
}
