"""One question at a time. Over TLS: test_watch.py."""

import pytest

from chaperone.agent.cluster.api import ApiError, _object


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'"text"', b"[" * 200_000])
def test_only_an_object_is_an_answer(data: bytes) -> None:
    with pytest.raises(ApiError, match="the API server's answer is no"):
        _object(data)
