"""Pieces of streaming calls: watch events as objects; logs and channels as text that goes on from piece to piece."""

from chaperone.collector.kube.call import Call
from chaperone.collector.mask.body import Bodies, masked_body
from chaperone.collector.mask.masked import MaskedPiece
from chaperone.collector.mask.text import Texts


class Pieces:
    """Masks pieces."""

    def __init__(self, texts: Texts, bodies: Bodies) -> None:
        self._texts = texts
        self._bodies = bodies

    def mask(self, call: Call, secret: bool) -> tuple[MaskedPiece, ...]:
        """The call's pieces."""
        return tuple(
            MaskedPiece(p.channel, p.direction, p.position, p.time, self._bodies.mask(p.body, secret))
            if p.channel == "event"
            else MaskedPiece(p.channel, p.direction, p.position, p.time, masked_body(p.body, self._texts.mask(bytes(p.body.data))))
            for p in call.pieces
        )
