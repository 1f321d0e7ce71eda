/* The maps of sockets: as maps.h. */

/* task -> the write to a TLS object that it began last; from its entry until the record leaves. LRU: threads end. */
BPF_TABLE("lru_hash", u64, struct pending, writing, 16384);

/* A tie that user space knows. LRU, so that one is told again at worst. */
BPF_TABLE("lru_hash", struct tie, u8, ties, 65536);

/* Cookie and direction of TCP -> what it carried; from the first packet (here) until user space has counted it, or its beginning could not be
 * told. A workload has half of it at most (copy.h): more connections are not looked at, which is counted. */
BPF_HASH(flows, struct flow_key, struct flow, FLOWS);

/* The same of UDP, by peer too. One socket may have any number of peers: they displace each other and no TCP. */
BPF_TABLE("lru_hash", struct flow_key, struct flow, datagrams, 16384);

/* Direction -> the program that counts the records of a packet; written by SocketHooks. */
BPF_PROG_ARRAY(records, 2);

/* Never filled, as those of maps.h. */
BPF_ARRAY(layout_socket_opened, struct socket_opened, 1);
BPF_ARRAY(layout_socket_tied, struct socket_tied, 1);
BPF_ARRAY(layout_socket_hello, struct socket_hello, 1);
BPF_ARRAY(layout_socket_closing, struct socket_closing, 1);
BPF_ARRAY(layout_socket_denied, struct socket_denied, 1);
BPF_ARRAY(layout_socket_answer, struct socket_answer, 1);
