import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from support.reviewing import ALICE, reviewing

from chaperone.collector.identity.caller import Caller, Means, Right
from chaperone.collector.identity.refusals import ReviewError
from chaperone.collector.identity.reviews import ClusterReviews

T = TypeVar("T")
WHO = Caller("alice", frozenset({"dev"}), Means.TOKEN)


def asked(kubeconfig: Path, question: Callable[[ClusterReviews], Awaitable[T]]) -> T:
    async def run() -> T:
        reviews = ClusterReviews(kubeconfig)
        try:
            return await question(reviews)
        finally:
            await reviews.close()

    return asyncio.run(run())


def test_a_token_is_whose_the_server_says(tmp_path: Path) -> None:
    with reviewing(tmp_path) as (_state, server):
        config = server.kubeconfig(tmp_path)
        assert asked(config, lambda reviews: reviews.who(ALICE)) == WHO
        assert asked(config, lambda reviews: reviews.who("forged")) is None


def test_rights_are_asked_for_with_user_groups_and_namespace(tmp_path: Path) -> None:
    with reviewing(tmp_path) as (state, server):
        state.allowed.add(("alice", "view", "sessions", "agents"))
        config = server.kubeconfig(tmp_path)
        assert asked(config, lambda reviews: reviews.may(WHO, Right.VIEW, "agents"))
        assert not asked(config, lambda reviews: reviews.may(WHO, Right.VIEW, ""))
        assert not asked(config, lambda reviews: reviews.may(WHO, Right.ADMIN, "agents"))
        assert state.asked[0]["spec"]["groups"] == ["dev"]


def test_answers_are_kept_for_a_while_and_failures_are_not(tmp_path: Path) -> None:
    async def often(reviews: ClusterReviews) -> None:
        state.status = 500
        with pytest.raises(ReviewError, match="refuses: 500"):
            await reviews.who(ALICE)
        state.status = 201
        assert await asyncio.gather(*(reviews.who(ALICE) for _ in range(10))) == [WHO] * 10

    with reviewing(tmp_path) as (state, server):
        asked(server.kubeconfig(tmp_path), often)
        assert len(state.asked) == 1


def test_a_server_that_is_away_is_an_error_and_no_answer(tmp_path: Path) -> None:
    with reviewing(tmp_path) as (_state, server):
        config = server.kubeconfig(tmp_path)
    with pytest.raises(ReviewError, match="cannot be asked"):
        asked(config, lambda reviews: reviews.may(WHO, Right.VIEW, ""))
    with pytest.raises(ReviewError, match="cannot be asked: ConfigException"):
        asked(tmp_path / "nowhere", lambda reviews: reviews.who(ALICE))
