/* IP packets as cgroup_skb programs see them, which begin with IP's header; for sockets.c and lock.c. */

#define HOP_BY_HOP 0 /* IPv6's extension headers, RFC 8200 §4: the first two bytes are the next header and a length */
#define ROUTING 43
#define FRAGMENT 44
#define AUTHENTICATION 51 /* RFC 4302 */
#define DESTINATION 60
#define TCP 6
#define UDP 17
#define EXTENSIONS 8 /* that are followed; a socket's options make four at most */

/* One packet: where its payload is, and whose. */
struct span {
  u64 cookie;
  u64 peer; /* as in flow_key */
  u32 at;
  u32 end;
  u32 direction;
  u32 sequence;
  u16 transport; /* where the TCP or UDP header begins */
  u8 flags;
  u8 protocol;
  u8 family;
  u8 routed;     /* it has a routing header: its destination is the next stop */
  u8 unfollowed; /* its TCP header was not found */
};

static int is_extension(u8 protocol) {
  return protocol == HOP_BY_HOP || protocol == ROUTING || protocol == FRAGMENT || protocol == AUTHENTICATION || protocol == DESTINATION;
}

/* Go behind the extension headers; `protocol` is then the last one's next header. A later fragment has none, and stays one. */
static void skip_extensions(struct __sk_buff *skb, struct span *span) {
#pragma unroll
  for (int i = 0; i < EXTENSIONS; i++) {
    u8 head[4] = {};
    if (!is_extension(span->protocol) || bpf_skb_load_bytes(skb, span->transport, head, sizeof(head))) break;
    u32 size = span->protocol == AUTHENTICATION ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
    if (span->protocol == FRAGMENT) {
      if (head[2] || head[3] & 0xf8) break;
      size = 8;
    }
    if (span->protocol == ROUTING) span->routed = 1;
    span->transport += size;
    span->protocol = head[0];
  }
}

/* Where the header behind IP's begins, and of which protocol it is; 0: no IP. */
static int find_transport(struct __sk_buff *skb, struct span *span) {
  u8 first = 0;
  bpf_skb_load_bytes(skb, 0, &first, 1);
  span->family = first >> 4;
  span->transport = span->family == 4 ? (first & 15) * 4 : 40;
  bpf_skb_load_bytes(skb, span->family == 4 ? 9 : 6, &span->protocol, 1);
  if (span->family == 6) skip_extensions(skb, span);
  return span->family == 4 || span->family == 6;
}

/* The packet's TCP socket; 0: it is of none. */
static struct bpf_sock *tcp_socket(struct __sk_buff *skb) {
  struct bpf_sock *sk = skb->sk;
  if (!sk) return 0;
  sk = bpf_sk_fullsock(sk);
  return sk && sk->protocol == TCP ? sk : 0;
}
