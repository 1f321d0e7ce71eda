"""How many bytes a cipher suite adds to a record, where that is exact. CBC pads, so nothing can be said of it."""

from dataclasses import dataclass

from chaperone.agent.sockets.hello import Agreed

VERSIONS = {0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}
QUIC = {1: "v1", 0x6B3343CF: "v2"}
TLS_13 = 0x0304
FINISHED = {0x1301: 36, 0x1302: 52, 0x1303: 36}  # of 1.3: a head of 4 and the suite's hash
# 1.2: AES-GCM sends 8 bytes of nonce and a tag of 16 (RFC 5288 §3), ChaCha20-Poly1305 a tag of 16 (RFC 7905 §2)
GCM_12 = frozenset({0x009C, 0x009D, 0x009E, 0x009F, 0xC02B, 0xC02C, 0xC02F, 0xC030})
CHACHA_12 = frozenset({0xCCA8, 0xCCA9, 0xCCAA})


@dataclass(frozen=True, slots=True)
class Suite:
    """`overhead`: bytes added to each record; -1 unknown. `finished`: size of 1.3's Finished; 0: it is not among application records."""

    version: str
    overhead: int
    finished: int = 0


def quic(version: int) -> Suite:
    """Of QUIC nothing but its version is known (RFC 9000 §15, RFC 9369; drafts are 0xff0000NN)."""
    return Suite(f"QUIC {QUIC.get(version, f'draft-{version & 0xFF}')}", -1)


def suite_of(chosen: Agreed) -> Suite:
    """What is known of the chosen version and cipher."""
    version = VERSIONS.get(chosen.version, "")
    if chosen.version == TLS_13:
        finished = FINISHED.get(chosen.cipher, 0)
        return Suite(version, 17 if finished else -1, finished)
    if chosen.version == 0x0303 and chosen.cipher in GCM_12:
        return Suite(version, 24)
    return Suite(version, 16 if chosen.version == 0x0303 and chosen.cipher in CHACHA_12 else -1)
