"""Why a command could not be done: one sentence and the next step, exit 1."""


class CommandError(Exception):
    """Shown by app.main() without a traceback."""

    def __init__(self, sentence: str, step: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.step = sentence, step
