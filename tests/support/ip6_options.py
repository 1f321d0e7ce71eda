"""Extension headers that a socket puts into its IPv6 packets, as text of programs: `options(plain)` before it connects, as root."""

# Options that nobody knows and everybody skips (RFC 8200 §4.2), in hop-by-hop options of 8 bytes and destination options of 1032.
OPTIONS = """
def options(plain):
    plain.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS, bytes([0, 0, 0x1e, 4, 0, 0, 0, 0]))
    long = 4 * bytes([0x1e, 254, *bytes(254)]) + bytes([1, 4, 0, 0, 0, 0])
    plain.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes([0, 128]) + long)
    return plain
"""
