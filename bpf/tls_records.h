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
  u32 length = flow->remain;
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
static void take_header(struct __sk_buff *skb, struct flow *flow) {
  if (flow->have == 0 && flow->at + 5 <= flow->end) {
    bpf_skb_load_bytes(skb, flow->at, flow->header, 5);
    flow->have = 5;
    flow->at += 5;
    return;
  }
  for (int byte = 0; byte < 5; byte++)
    if (flow->have == byte && flow->at < flow->end) {
      bpf_skb_load_bytes(skb, flow->at, &flow->header[byte], 1);
      flow->have++;
      flow->at++;
    }
}

static void skip_body(struct flow *flow) {
  u32 left = flow->end - flow->at;
  u32 body = left < flow->remain ? left : flow->remain;
  flow->at += body;
  flow->remain -= body;
}

/* The next records of the current packet; 0: there are no more. */
static int take_records(struct __sk_buff *skb, struct flow *flow, struct flow *back) {
  for (int i = 0; i < RECORDS; i++) {
    skip_body(flow);
    if (flow->at >= flow->end) return 0;
    take_header(skb, flow);
    if (flow->have < 5) return 0;
    flow->have = 0;
    flow->remain = flow->header[3] << 8 | flow->header[4];
    if (flow->header[0] == APPLICATION_DATA) count_record(flow, back);
  }
  skip_body(flow);
  return flow->at < flow->end;
}
