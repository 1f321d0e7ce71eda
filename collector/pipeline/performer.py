"""Who acts on verdicts. The pipeline knows only this: what stands behind it (enforce/) is put there by __main__."""

from typing import Protocol

from chaperone.collector.rules.judged import Judged
from chaperone.collector.rules.verdict import Action, Moment


class Performer(Protocol):
    """Carries out some kinds of action. Called in the pipeline's thread, once for each event in the order they are judged, also
    without verdicts: it must not wait. The verdicts' rows are not durable yet; who must survive a crash reads them from the store.
    """

    def carries_out(self, action: Action, stream: str, moment: Moment) -> bool:
        """Whether it carries out such an action about this stream; the recording says of others that they were not."""
        ...

    def perform(self, judged: Judged) -> None:
        """Act on what `judged.verdicts` say; only those with `effective` enforce have an effect on the workload."""
        ...

    def foresee(self, judged: Judged) -> None:
        """Act on what is said of a request that is not whole and can't be waited for; `perform` is told of it later, once it is."""
        ...
