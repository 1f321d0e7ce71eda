/* The headers of TLS records (RFC 8446 §5.1) in a direction's bytes, wherever packets cut them. Bodies are skipped.
 *
 * What we would like: one loop over a packet's records, with `at` and `end` in registers. The verifier tells every way through the
 * loop from every other by their ranges and gives up after a million instructions (E2BIG, 6.18). What it reads from a map it
 * knows nothing about, hence the place in the packet is kept in the flow; and a program does a few records and calls itself
 * again, which the kernel allows 33 times: a segment of 64 KiB with records smaller than 124 bytes goes beyond it and says so. */

#define RECORDS 16 /* in one call */
#define APPLICATION_DATA 23

/* `back`: the other direction. What a server encrypts before the client's first encrypted record is its handshake (1.3). */
static void count_record(struct flow *flow, struct flow *back) {
  u32 length = flow->walk.remain;
  flow->bytes += length;
  flow->records++;
  if (back && !back->records) {
    flow->handshake += length;
    flow->handshake_records++;
    return;
  }
  u32 index = flow->records - flow->handshake_records - 1;
  if (index < SIZES) flow->first[index & (SIZES - 1)] = length;
  flow->last[index & (SIZES - 1)] = length;
  if (flow->awaited && is_record_of(length, flow->awaited)) flow->awaited = MET;
}

/* A header, or as much of it as is there. */
static void take_header(struct __sk_buff *skb, struct walk *walk) {
  if (walk->have == 0 && walk->at + 5 <= walk->end) {
    bpf_skb_load_bytes(skb, walk->at, walk->header, 5);
    walk->have = 5;
    walk->at += 5;
    return;
  }
  for (int byte = 0; byte < 5; byte++)
    if (walk->have == byte && walk->at < walk->end) {
      bpf_skb_load_bytes(skb, walk->at, &walk->header[byte], 1);
      walk->have++;
      walk->at++;
    }
}

static void skip_body(struct walk *walk) {
  u32 left = walk->end - walk->at;
  u32 body = left < walk->remain ? left : walk->remain;
  walk->at += body;
  walk->remain -= body;
}

/* On to the next record's body; 0: the packet has no more. */
static int next_record(struct __sk_buff *skb, struct walk *walk) {
  skip_body(walk);
  if (walk->at >= walk->end) return 0;
  take_header(skb, walk);
  if (walk->have < 5) return 0;
  walk->have = 0;
  walk->remain = walk->header[3] << 8 | walk->header[4];
  return 1;
}

/* The next records of the current packet; 0: there are no more. */
static int take_records(struct __sk_buff *skb, struct flow *flow, struct flow *back) {
  for (int i = 0; i < RECORDS; i++) {
    if (!next_record(skb, &flow->walk)) return 0;
    if (flow->walk.header[0] == APPLICATION_DATA) count_record(flow, back);
  }
  skip_body(&flow->walk);
  return flow->walk.at < flow->walk.end;
}
