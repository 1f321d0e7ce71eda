"""Chunks that are dropped on purpose, so that users can try what a gap does to their rules and alerts. Stated as any other loss."""

import random
from dataclasses import dataclass, field

EVERYTHING = 1.0


@dataclass(slots=True)
class Drops:
    """`every`: each Nth chunk, 0 none; `share`: of all chunks at random, the same ones for the same seed."""

    every: int = 0
    share: float = 0.0
    seed: int = 0
    _seen: int = 0
    _dice: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._dice.seed(self.seed)

    def __str__(self) -> str:
        return f"one chunk in {self.every}" if self.every else f"a share of {self.share} of all chunks, seed {self.seed}"

    def takes(self) -> bool:
        """Whether the next chunk is one of them."""
        self._seen += 1
        return self._seen % self.every == 0 if self.every else self._dice.random() < self.share


def drops_of(text: str) -> Drops | None:
    """Empty: none; "20": each 20th; "0.05" or "0.05:SEED": that share at random. ValueError."""
    if not text:
        return None
    amount, _, seed = text.partition(":")
    if "." not in amount and not seed and int(amount) > 0:
        return Drops(every=int(amount))
    share = float(amount)
    if not 0 < share <= EVERYTHING:
        raise ValueError(f"{share} is no share of chunks")
    return Drops(share=share, seed=int(seed or 0))
