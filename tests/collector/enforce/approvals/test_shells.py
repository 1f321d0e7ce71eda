import pytest

from chaperone.collector.enforce.approvals.shells import shell_in

SAID = {
    "sh": "sh",
    "/bin/bash -c id": "bash",
    "-zsh": "zsh",
    "busybox sh": "sh",
    "env -i PATH=/ /usr/bin/fish": "fish",
    "nsenter -t 1 -m -- /bin/sh": "sh",
    "chroot /host bash": "bash",
    "su - admin": "su",
    "su -s /bin/ksh": "ksh",
    "C:/Windows/cmd.exe": "cmd",
    "ls /bin/sh": "",
    "python -c pass": "",
    "cat": "",
    "env": "",
    "": "",
}


@pytest.mark.parametrize("command", SAID)
def test_a_shell_is_named_however_it_is_started(command: str) -> None:
    assert shell_in(command.split()) == SAID[command]
