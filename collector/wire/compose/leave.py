"""Which of the units that were gathered leave, in which order, and as what.

They leave in order up to the first that must wait. Behind that one, only what may overtake does: whole frames of h2 streams
whose beginning has left. A unit that leaves in part has nothing before it, so that its rest is the next to leave.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from chaperone.collector.wire.compose.units import Departure, Part, Ruling, Unit
from chaperone.proto.refusals import Refusal

EDITED = Refusal("edited")  # what templates of as many bytes need to know


def leaving(units: Iterable[Unit], rulings: Mapping[int, Ruling], end: int) -> Departure:
    """Of `units` in order, of which bytes up to `end` are here. The key FREE needs a ruling, too."""
    door = _Door(rulings, end)
    for unit in units:
        door.take(unit)
    return Departure(tuple(_joined(door.parts)), tuple(door.staying), tuple(door.dropped), tuple(door.refused), door.is_torn)


@dataclass(slots=True)
class _Door:
    rulings: Mapping[int, Ruling]
    end: int
    parts: list[Part] = field(default_factory=list)
    staying: list[Unit] = field(default_factory=list)
    dropped: list[tuple[int, int]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    behind: set[int] = field(default_factory=set)  # h2 streams of what stays
    is_torn: bool = False

    def take(self, unit: Unit) -> None:
        """One unit: it stays, goes, or is refused."""
        if unit.begin >= self.end or unit.key not in self.rulings or (unit.block and unit.end > self.end):
            self._stay(unit)
        elif (refusal := self.rulings[unit.key]) is not None:
            self._refuse(unit, refusal)
        else:
            self._go(unit)

    def _stay(self, unit: Unit) -> None:
        self.staying.append(unit)
        self.behind.add(unit.number)

    def _go(self, unit: Unit) -> None:
        overtakes = unit.overtakes and unit.end <= self.end and (unit.number == 0 or unit.number not in self.behind)
        if self.staying and not overtakes:
            self._stay(unit)
            return
        here = min(unit.end, self.end)
        self.parts += _edited(unit, here)
        self.is_torn = here < unit.end
        self._rest(unit, here)

    def _refuse(self, unit: Unit, refusal: Refusal) -> None:
        if unit.template and self.staying:
            self._stay(unit)
            return
        here = min(unit.end, self.end)
        if unit.template:
            self.parts.append(Part(unit.begin, here, unit.template, refusal))
            if unit.begin <= unit.key:  # the request itself, not its trailers
                self.refused.append(unit.key)
        elif unit.credit:
            self.dropped.append((unit.key, unit.credit))
        self._rest(replace(unit, template="", credit=0), here)

    def _rest(self, unit: Unit, here: int) -> None:
        if here < unit.end:
            self._stay(replace(unit, begin=here, edits=tuple(edit for edit in unit.edits if edit.begin >= here)))


def _edited(unit: Unit, here: int) -> Iterator[Part]:
    """What of a unit leaves, with the bytes that are replaced. An edit never reaches beyond what is here."""
    at = unit.begin
    for edit in unit.edits:
        if edit.begin < here:
            if at < edit.begin:
                yield Part(at, edit.begin)
            yield Part(edit.begin, edit.end, edit.template, EDITED)
            at = edit.end
    if at < here:
        yield Part(at, here)


def _joined(parts: Iterable[Part]) -> list[Part]:
    """Neighbours that leave as they are, as one."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last and not last.template and not part.template and last.end == part.begin:
            joined[-1] = Part(last.begin, part.end)
        else:
            joined.append(part)
    return joined


def left(units: Iterable[Unit], position: int) -> list[Unit]:
    """What is still here of units of which bytes below `position` left without being held."""
    return [_behind(unit, position) for unit in units if unit.end > position]


def _behind(unit: Unit, position: int) -> Unit:
    if unit.begin >= position:
        return unit
    return replace(unit, begin=position, edits=tuple(edit for edit in unit.edits if edit.begin >= position))
