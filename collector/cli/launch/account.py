"""Who CMD runs as: `-u USER`, else the user behind sudo, else whoever calls."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass

from chaperone.collector.cli.launch.failed import LaunchError


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine. `switch`: CMD's process must still become that user."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str = "/bin/sh"
    switch: bool = False

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The caller's environment, with HOME, USER, LOGNAME and SHELL of this account if CMD runs as another user."""
        if not self.switch:
            return dict(inherited)
        return {**inherited, "HOME": self.home, "USER": self.name, "LOGNAME": self.name, "SHELL": self.shell}

    def become(self) -> None:
        """Take on this account's groups, gid and uid, for good. Only in CMD's own process."""
        if self.switch:
            os.initgroups(self.name, self.gid)
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)


def chosen(option: str | None, environment: Mapping[str, str], uid: int) -> Account:
    """The account for CMD. LaunchError if `-u` or SUDO_USER names nobody."""
    if option is not None:
        return _account(_entry(option), uid)
    behind_sudo = environment.get("SUDO_USER", "")
    if uid == 0 and behind_sudo and behind_sudo != "root":
        return _account(_entry(behind_sudo), uid)
    return _caller(environment, uid)


def _caller(environment: Mapping[str, str], uid: int) -> Account:
    """Whoever calls, as this machine or else the environment names them (a container may know no name)."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = environment.get("USER", str(uid))
    return Account(name, uid, os.getgid(), environment.get("HOME", "/"))


def _account(entry: pwd.struct_passwd, uid: int) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell or "/bin/sh", entry.pw_uid != uid)


def _entry(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        pass
    try:
        return pwd.getpwuid(int(name))
    except (KeyError, ValueError):
        raise LaunchError(f"there is no user {name} on this machine", "name an existing one: chaperone run -u USER -- CMD") from None
