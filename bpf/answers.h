/* What name servers answer (RFC 1035), for the collector to read: here it is only told from everything else, and copied. */

#define NAMES_PORT 53
#define ANSWERS_LIMIT 65536 /* bytes of one TCP connection that are told */
#define DNS_HEADER 12
#define DNS_IS_ANSWER 0x80
#define DNS_OPCODE 0x78
#define DNS_RCODE 0x0f

struct answer_short {
  struct socket_answer about;
  u8 data[ANSWER_SHORT];
};
struct answer_long {
  struct socket_answer about;
  u8 data[ANSWER_LIMIT];
};

/* A standard answer without an error, to one question, with at least one record. `at`: where its header is. */
static int is_answer(struct __sk_buff *skb, u32 at, u32 end) {
  u8 header[DNS_HEADER] = {};
  if (at + DNS_HEADER > end || bpf_skb_load_bytes(skb, at, header, DNS_HEADER)) return 0;
  if (!(header[2] & DNS_IS_ANSWER) || header[2] & DNS_OPCODE || header[3] & DNS_RCODE) return 0;
  return !header[4] && header[5] == 1 && (header[6] || header[7]);
}

static void fill_answer(struct __sk_buff *skb, struct span *span, struct socket_answer *about, u64 position) {
  about->head = head_of_packet(KIND_SOCKET_ANSWER, slot_of(skb));
  about->cookie = span->cookie;
  about->position = position;
  about->peer = span->peer;
  about->size = span->end - span->at;
}

static int tell_short(struct __sk_buff *skb, struct span *span, u64 position) {
  struct answer_short *answer = events.ringbuf_reserve(sizeof(*answer));
  if (!answer) return 0;
  fill_answer(skb, span, &answer->about, position);
  answer->about.kept = copy_payload(skb, span, answer->data, sizeof(answer->data));
  count_sent(answer->about.head.workload, sizeof(*answer));
  events.ringbuf_submit(answer, wake());
  return 1;
}

static int tell_long(struct __sk_buff *skb, struct span *span, u64 position) {
  struct answer_long *answer = events.ringbuf_reserve(sizeof(*answer));
  if (!answer) return 0;
  fill_answer(skb, span, &answer->about, position);
  answer->about.kept = copy_payload(skb, span, answer->data, sizeof(answer->data));
  count_sent(answer->about.head.workload, sizeof(*answer));
  events.ringbuf_submit(answer, wake());
  return 1;
}

/* Over TCP (RFC 7766) each answer has its size in front, and packets cut them anywhere: who began with one is told as it comes. */
static int is_told(struct __sk_buff *skb, struct span *span, struct flow *flow) {
  if (span->protocol == UDP) return is_answer(skb, span->at, span->end);
  if (!flow->wire) flow->answers = is_answer(skb, span->at + 2, span->end);
  return flow->answers && !flow->broken && flow->wire < ANSWERS_LIMIT;
}

/* A packet's payload, before it is counted. */
static void look_for_answer(struct __sk_buff *skb, struct span *span, struct flow *flow) {
  u16 port = 0;
  bpf_skb_load_bytes(skb, span->transport, &port, 2);
  if (port != __builtin_bswap16(NAMES_PORT) || !is_told(skb, span, flow)) return;
  int is_short = span->end - span->at <= ANSWER_SHORT;
  if (!may_tell(slot_of(skb)) || !(is_short ? tell_short(skb, span, flow->wire) : tell_long(skb, span, flow->wire)))
    count_event_lost(slot_of(skb));
}
