"""Who CMD runs as."""

import os
import pwd

import pytest

from chaperone.collector.cli.launch.account import Account, chosen
from chaperone.collector.cli.launch.failed import LaunchError

NOBODY = pwd.getpwnam("nobody")


def test_under_sudo_cmd_runs_as_the_user_behind_it() -> None:
    account = chosen(None, {"SUDO_USER": "nobody", "HOME": "/root"}, 0)
    assert (account.name, account.uid, account.gid, account.switch) == ("nobody", NOBODY.pw_uid, NOBODY.pw_gid, True)


def test_the_option_wins_over_sudo() -> None:
    assert chosen("root", {"SUDO_USER": "nobody"}, 0).switch is False


def test_a_user_may_be_named_by_number() -> None:
    assert chosen(str(NOBODY.pw_uid), {}, 0).name == "nobody"


def test_sudo_by_root_and_an_sudo_variable_without_root_change_nothing() -> None:
    assert chosen(None, {"SUDO_USER": "root", "HOME": "/root"}, 0).switch is False
    assert chosen(None, {"SUDO_USER": "nobody", "HOME": "/home/me"}, 1000).switch is False


def test_an_unknown_user_is_named_in_the_error() -> None:
    with pytest.raises(LaunchError, match="no user nobody-at-all"):
        chosen("nobody-at-all", {}, 0)


def test_home_and_names_are_the_accounts_and_the_rest_is_the_callers() -> None:
    inherited = {"HOME": "/root", "USER": "root", "LOGNAME": "root", "KUBECONFIG": "/k"}
    changed = Account("ann", 1000, 1000, "/home/ann", "/bin/zsh", switch=True).environment(inherited)
    assert changed == {"HOME": "/home/ann", "USER": "ann", "LOGNAME": "ann", "SHELL": "/bin/zsh", "KUBECONFIG": "/k"}
    assert Account("ann", 1000, 1000, "/home/ann").environment(inherited) == inherited


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else needs root")
def test_become_gives_up_root_and_its_groups_for_good() -> None:
    pid = os.fork()
    if pid == 0:
        chosen("nobody", {}, 0).become()
        is_nobody = os.getresuid() == (NOBODY.pw_uid,) * 3 and os.getresgid() == (NOBODY.pw_gid,) * 3 and 0 not in os.getgroups()
        os._exit(0 if is_nobody else 1)
    assert os.waitpid(pid, 0)[1] == 0
