"""The node's half: sees processes, sockets, bytes and time, acts on orders, and decides nothing."""
