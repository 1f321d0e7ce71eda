"""Where the command begins: before all that it is made of is loaded, Ctrl-C just ends it, as it does any program."""

import signal


def main() -> None:
    """Entry point of the command."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # else the caller has it ignored, as nohup and shells' background jobs do
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from chaperone.collector.cli import app  # noqa: PLC0415 - takes a third of a second

    signal.signal(signal.SIGINT, handler)
    app.main()
