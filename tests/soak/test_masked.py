"""A small part of `make soak`; and that it would notice."""

from pathlib import Path

import pytest
from soak.masked import soak
from support.apiserver import running
from support.kernel import skip_without_kernel
from support.secret_reads import Reader


@pytest.mark.kernel
def test_no_secret_is_read_in_any_form() -> None:
    skip_without_kernel()
    found = soak(count=100, threads=2, seed=3)
    assert (found["reads"], found["leaks"], found["wrong"]) == (100, [], [])
    assert found["stars"] > 50


def test_without_a_policy_it_is_noticed(tmp_path: Path) -> None:
    with running(tmp_path / "apiserver") as server:
        reader = Reader([server.url, str(server.ca), server.token], 40, 3)
        reader.run()
    assert reader.seen["reads"] == 40 and reader.seen["stars"] == 0
    assert len(set(reader.leaks)) > 3
    assert [each for each in reader.wrong if not each.endswith("200 gzip")] == []
