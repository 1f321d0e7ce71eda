from pathlib import Path

import pytest

from chaperone.collector.settings import CollectorSettings, store_directory, version


@pytest.mark.parametrize(
    ("option", "environment", "uid", "expected"),
    [
        (Path("here"), {"CHAPERONE_STORE": "/there"}, 0, "here"),
        (None, {"CHAPERONE_STORE": "/there", "XDG_STATE_HOME": "/state"}, 1000, "/there"),
        (None, {"XDG_STATE_HOME": "/state"}, 0, "/var/lib/chaperone"),
        (None, {"XDG_STATE_HOME": "/state", "HOME": "/home/me"}, 1000, "/state/chaperone"),
        (None, {"HOME": "/home/me"}, 1000, "/home/me/.local/state/chaperone"),
    ],
)
def test_the_store_is_where_option_environment_or_user_say(
    option: Path | None, environment: dict[str, str], uid: int, expected: str
) -> None:
    assert store_directory(option, environment, uid) == Path(expected)


def test_a_collector_stays_unless_told_otherwise() -> None:
    assert CollectorSettings(Path("/x")).idle_s is None


def test_the_version_is_that_of_the_distribution() -> None:
    assert version()[0].isdigit()
