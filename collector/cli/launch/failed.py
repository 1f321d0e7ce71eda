"""Why a run could not begin, in the words its user reads."""

CHAPERONE_FAILED = 125  # as env(1), nohup(1) and docker-run(1) use it
NOT_EXECUTABLE = 126  # POSIX 2.8.2
NOT_FOUND = 127  # POSIX 2.8.2


class LaunchError(Exception):
    """One sentence, the command or step that helps, and the exit status. CMD was not started."""

    def __init__(self, sentence: str, fix: str = "", status: int = CHAPERONE_FAILED) -> None:
        super().__init__(sentence)
        self.sentence, self.fix, self.status = sentence, fix, status
