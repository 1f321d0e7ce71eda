from chaperone.agent.sockets.hello import Agreed
from chaperone.agent.sockets.suite import Suite, suite_of


def test_what_each_suite_adds_to_a_record() -> None:
    assert suite_of(Agreed(0x0304, 0x1301)) == Suite("TLS 1.3", 17, 36)
    assert suite_of(Agreed(0x0304, 0x1302)) == Suite("TLS 1.3", 17, 52)
    assert suite_of(Agreed(0x0303, 0xC02F)) == Suite("TLS 1.2", 24)
    assert suite_of(Agreed(0x0303, 0xCCA8)) == Suite("TLS 1.2", 16)


def test_what_pads_or_is_unknown_is_not_exact() -> None:
    assert suite_of(Agreed(0x0303, 0xC013)) == Suite("TLS 1.2", -1)
    assert suite_of(Agreed(0x0304, 0x1304)) == Suite("TLS 1.3", -1)
    assert suite_of(Agreed(0x0302, 0xC02F)) == Suite("TLS 1.1", -1)
    assert suite_of(Agreed()) == Suite("", -1)
