from hypothesis import given
from hypothesis import strategies as st

from chaperone.agent.sockets.peers import cookie_and_peer, of_peer


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_a_name_has_both_and_without_a_peer_is_the_cookie(cookie: int, peer: int) -> None:
    assert cookie_and_peer(of_peer(cookie, peer)) == (cookie, peer)
    assert of_peer(cookie, 0) == cookie
