/* IP packets as cgroup_skb programs see them, which begin with IP's header; for sockets.c and lock.c. */

#define HOP_BY_HOP 0
#define TCP 6
#define UDP 17

/* Where the header behind IP's begins, and of which protocol it is. Of IPv6's extension headers only hop-by-hop options are followed:
 * packets of more than 64 KiB have them (RFC 2675; the kernel sends such on ::1). */
static u32 transport_of(struct __sk_buff *skb, u8 *family, u8 *protocol) {
  u8 first = 0;
  bpf_skb_load_bytes(skb, 0, &first, 1);
  *family = first >> 4;
  u32 at = *family == 4 ? (first & 15) * 4 : 40;
  bpf_skb_load_bytes(skb, *family == 4 ? 9 : 6, protocol, 1);
  if (*family == 6 && *protocol == HOP_BY_HOP) {
    u8 options[2] = {}; /* next header, length in units of 8 behind the first */
    bpf_skb_load_bytes(skb, 40, options, 2);
    *protocol = options[0];
    at = 48 + options[1] * 8;
  }
  return at;
}
