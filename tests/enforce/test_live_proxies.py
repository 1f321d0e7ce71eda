"""Towards the API server through a proxy: its address is another's, and each request is judged as ever."""

from pathlib import Path

import pytest
from support.apiserver import ApiServer, apiserver
from support.governed_run import governed, storing
from support.holding import DENY_DELETE
from support.kernel import skip_without_kernel
from support.tunnel import proxy

pytestmark = pytest.mark.kernel
__all__ = ["apiserver"]
WAYS = ("http", "socks5h")
ASK = """
for way in http socks5h; do for method in GET DELETE; do
  curl -s --noproxy "" -x $way://127.0.0.1:$PROXY --cacert $CA -H "Authorization: Bearer $TOKEN" \\
    -X $method -o /dev/null -w "$way $method %{http_code}\\n" $URL/pods/agent
done; done
"""


def test_a_request_through_a_proxy_is_judged(tmp_path: Path, apiserver: ApiServer) -> None:
    skip_without_kernel()
    with proxy(apiserver.port) as (port, kinds), storing(tmp_path):
        done = governed(tmp_path, apiserver, DENY_DELETE, "sh", "-c", ASK, PROXY=str(port))
    assert done.stdout.splitlines() == [f"{way} {method} {code}" for way in WAYS for method, code in (("GET", 200), ("DELETE", 403))]
    assert kinds == [way for way in WAYS for _ in range(2)]
    assert "DELETE" not in [asked["method"] for asked in apiserver.requests()]
