/* What user space is told about sockets, and the maps it reads: mirrored by agent/sockets/layout.py, as event.h is. */
#ifndef CHAPERONE_SOCKET_EVENT_H
#define CHAPERONE_SOCKET_EVENT_H

#include "event.h"

enum socket_kind { KIND_SOCKET_OPENED = 32, KIND_SOCKET_TIED, KIND_SOCKET_HELLO, KIND_SOCKET_CLOSING, KIND_SOCKET_ANSWER, KIND_SOCKET_DENIED };
enum denied { DENIED_HELLO = 1, DENIED_BYTES, DENIED_BEYOND, DENIED_HEADERS };
enum broken { BROKEN_NOT, BROKEN_HOLE, BROKEN_LATE, BROKEN_CROWDED, BROKEN_UNMET };

#define HELLO_LIMIT 2048 /* bytes of a hello that are kept; a power of two */
#define ANSWER_LIMIT 4096 /* bytes of a packet from a name server that are kept; a power of two, as the next */
#define ANSWER_SHORT 512
#define SIZES 8          /* sizes of records kept at each end of a direction; a power of two */

/* A socket's first packet out; of UDP its first to each peer. `late`: it was no SYN, so the socket was open before, or accepted;
 * `before`: payload bytes that a late one has carried already, by direction. */
struct socket_opened {
  struct head head;
  __u64 cookie;
  __u64 peer; /* as in flow_key */
  __u64 before[2];
  __u8 local[16]; /* IPv4: the first four */
  __u8 remote[16];
  __u32 quic; /* version of the QUIC that it begins; 0: it begins none */
  __u16 local_port;
  __u16 remote_port;
  __u8 family; /* 4 or 6 */
  __u8 protocol;
  __u8 late;
  __u8 pad[5];
};

/* The thread that just began to write to a TLS object sent a record of that write's size. */
struct socket_tied {
  struct head head;
  __u64 handle;
  __u64 cookie;
};

/* TLS begins in a direction: `position` bytes were said before. */
struct socket_hello {
  struct head head;
  __u64 cookie;
  __u64 position;
  __u32 direction;
  __u32 kept;
  __u8 data[HELLO_LIMIT];
};

/* The first FIN or RST, of either side. */
struct socket_closing {
  struct head head;
  __u64 cookie;
};

/* A packet did not leave, nor will any later one of that socket (lock.c). DENIED_HELLO: TLS of nobody whose calls are known; DENIED_BYTES:
 * TLS that no call is known of; DENIED_BEYOND: more than was let go of the calls that are; DENIED_HEADERS: TCP whose header was not found. */
struct socket_denied {
  struct head head;
  __u64 cookie;
  __u64 size; /* of the packet's payload */
  __u32 why;
  __u32 pad;
};

/* What a name server sent: a datagram, or a piece of a TCP connection that began with an answer. `data` follows: ANSWER_SHORT or
 * ANSWER_LIMIT bytes, of which `kept` count. */
struct socket_answer {
  struct head head;
  __u64 cookie;
  __u64 peer;
  __u64 position; /* in that direction */
  __u32 size; /* of the packet's payload */
  __u32 kept;
};

/* `peer`: of UDP, whose sockets speak with many at once, a hash of the other side's address and port; 0 of TCP. */
struct flow_key {
  __u64 cookie;
  __u64 peer;
  __u32 direction;
  __u32 pad;
};

/* Where the parser of a direction's records is. */
struct walk {
  __u32 next;   /* sequence number */
  __u32 remain; /* bytes of the current record's body to come */
  __u32 at;     /* place in the current packet, and its end */
  __u32 end;
  __u8 header[5];
  __u8 have; /* bytes of the header that have come */
  __u8 pad[2];
};

/* One direction of a connection: what it carried, and where its records' parser is. */
struct flow {
  __u64 wire;      /* payload bytes, each once */
  __u64 bytes;     /* bodies of application-type records */
  __u64 handshake; /* of these: IN, what came before the client's first */
  __u64 awaited;   /* size of the write whose record may be in the current packet */
  __u32 records;
  __u32 handshake_records;
  struct walk walk;
  __u16 first[SIZES]; /* the first sizes behind the handshake */
  __u16 last[SIZES];  /* the last sizes, as a ring: that of record n lies at n % SIZES */
  __u16 cipher;       /* OUT: the suite that its server chose, once that is known */
  __u8 tls;           /* 1: TLS has begun */
  __u8 broken;        /* enum broken: the counts of records are not whole */
  __u8 closing;
  __u8 answers; /* 1: TCP from a name server, which began with an answer */
  __u8 unfollowed; /* OUT: 1: in some packets of either direction no TCP header was found */
  __u8 pad;
  __u64 workload; /* slot */
};

#endif
