/* Where TLS begins: at a direction's first byte, or behind what was said in the clear: to a proxy (CONNECT, SOCKS), before STARTTLS. That
 * was answered, so TLS begins with a packet of its own: each packet of a direction that speaks none yet is looked at, 11 bytes. */

#define HANDSHAKE 22 /* RFC 8446 §5.1 */
#define CLIENT_HELLO 1
#define SERVER_HELLO 2

/* Which hello (RFC 8446 §4.1) begins here; 0: none. Head of the record 5, of the message 4, the message's version: other data is like
 * it once in 2^40 packets. */
static u32 hello_at(struct __sk_buff *skb, u32 at) {
  u8 head[11] = {};
  if (bpf_skb_load_bytes(skb, at, head, sizeof(head)) || head[0] != HANDSHAKE) return 0;
  if (head[1] != 3 || head[2] > 4 || head[6] || head[9] != 3 || head[10] > 4) return 0;
  return head[5] == CLIENT_HELLO || head[5] == SERVER_HELLO ? head[5] : 0;
}

/* Only what begins as a TLS handshake is copied: of other protocols nothing leaves the node but name servers' answers. */
static void tell_hello(struct __sk_buff *skb, struct span *span, struct flow *flow) {
  u32 slot = slot_of(skb);
  struct socket_hello *hello = may_tell(slot) ? events.ringbuf_reserve(sizeof(*hello)) : 0;
  if (!hello) {
    count_event_lost(slot);
    return;
  }
  hello->head = head_of_packet(KIND_SOCKET_HELLO, slot);
  hello->cookie = span->cookie;
  hello->position = flow->wire;
  hello->direction = span->direction;
  hello->kept = copy_payload(skb, span, hello->data, sizeof(hello->data));
  events.ringbuf_submit(hello, wake());
  count_sent(slot, sizeof(*hello));
}

/* The suite in a ServerHello (RFC 8446 §4.1.3): record head 5, message head 4, version 2, random 32, a session id behind its size. */
static void note_cipher(struct __sk_buff *skb, struct span *span, struct flow *out) {
  u8 size = 0, cipher[2] = {};
  if (bpf_skb_load_bytes(skb, span->at + 43, &size, 1) || bpf_skb_load_bytes(skb, span->at + 44 + size, cipher, 2)) return;
  out->cipher = cipher[0] << 8 | cipher[1];
}

/* From a client's hello and its server's on all is counted, whatever was missed before. Of who was connected to (his hello comes IN) it
 * stays said that he was. */
static void begin_tls(struct __sk_buff *skb, struct span *span, struct flow *flow, struct flow *back, u32 hello) {
  if (hello == (span->direction == DIRECTION_OUT ? CLIENT_HELLO : SERVER_HELLO)) flow->broken = BROKEN_NOT;
  if (span->direction == DIRECTION_IN && back && hello == SERVER_HELLO) note_cipher(skb, span, back);
  flow->tls = 1;
  tell_hello(skb, span, flow);
}

/* A packet's payload in a direction that speaks no TLS yet, before it is counted. */
static void look_for_hello(struct __sk_buff *skb, struct span *span, struct flow *flow, struct flow *back) {
  u8 type = 0;
  bpf_skb_load_bytes(skb, span->at, &type, 1);
  u32 hello = hello_at(skb, span->at);
  int is_first = !flow->wire && type == HANDSHAKE;
  int answers = hello == SERVER_HELLO && back && back->tls;
  if (is_first || answers || hello == CLIENT_HELLO) begin_tls(skb, span, flow, back, hello);
  else if (back && back->tls && back->records && !flow->broken) flow->broken = BROKEN_UNMET;
}
