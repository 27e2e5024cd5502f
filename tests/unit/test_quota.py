"""What the workers of a deployment share, without time and without a table."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightmail.deployment import Deployment
from nightmail.quota import (
    Ask,
    Grant,
    Quota,
    Slice,
    Slowdown,
    exchange,
    fair_shares,
    is_limited,
    quota_key,
    told,
    without,
)

NOW = 1_795_226_400_000
MINUTE = 60_000


def deployment(**limits: Any) -> Deployment:
    return Deployment(name="gpt", provider="openai", model="gpt-5-mini", **limits)


def asked(worker: str = "a", **fields: Any) -> Ask:
    wanted = {"requests": 1_000_000, "tokens": 1_000_000, "slots": 100, "in_flight": 0}
    return Ask(worker=worker, **{**wanted, **fields})


def taken(
    limits: Deployment, workers: list[str], rounds: int, quota: Quota | None = None
) -> Iterator[tuple[str, Grant]]:
    """What each worker gets, when all ask in turn as often as they may."""
    quota, now = quota or Quota(key="k"), float(NOW)
    for _ in range(rounds):
        for worker in workers:
            quota, grant = exchange(quota, limits, asked(worker), int(now))
            now += grant.interval_ms / len(workers)
            yield worker, grant


def slices(grants: Iterator[tuple[str, Grant]]) -> list[Slice]:
    return [grant.requests for _, grant in grants if grant.requests]


# ---- Requests and tokens a minute


@pytest.mark.parametrize("rpm", [1, 3, 60, 500, 10_000, 1_000_000])
@pytest.mark.parametrize("workers", [1, 3, 40])
def test_stretches_never_overlap_and_never_hold_more_than_the_limit(rpm: int, workers: int) -> None:
    got = slices(taken(deployment(rpm=rpm), [f"w{n}" for n in range(workers)], 40))
    assert got
    for before, after in pairwise(got):
        assert before.end <= after.start
    for each in got:
        assert each.units <= (each.end - each.start) * rpm / MINUTE


@pytest.mark.parametrize("rpm", [60, 500, 100_000])
@pytest.mark.parametrize("workers", [1, 3, 40])
def test_nearly_all_of_the_limit_is_handed_out(rpm: int, workers: int) -> None:
    got = slices(taken(deployment(rpm=rpm), [f"w{n}" for n in range(workers)], 60))
    minutes = (got[-1].end - NOW) / MINUTE
    assert sum(each.units for each in got) >= 0.93 * rpm * minutes
    assert minutes >= 60 * 2 / 60 * 0.9


def test_workers_get_about_the_same() -> None:
    grants = list(taken(deployment(rpm=600), ["a", "b", "c"], 60))
    got = {
        name: sum(
            grant.requests.units for worker, grant in grants if worker == name and grant.requests
        )
        for name in "abc"
    }
    assert max(got.values()) <= 1.3 * min(got.values())


def test_a_worker_takes_no_more_than_it_wants() -> None:
    quota, grant = exchange(Quota(key="k"), deployment(rpm=60_000), asked(requests=3), NOW)
    assert grant.requests
    assert grant.requests.units == 3
    assert quota.requests_until == grant.requests.end


def test_nobody_takes_what_is_far_ahead() -> None:
    quota, first = exchange(Quota(key="k"), deployment(rpm=3), asked("a"), NOW)
    assert first.requests
    _, second = exchange(quota, deployment(rpm=3), asked("b"), NOW + 2000)
    assert second.requests is None
    _, third = exchange(quota, deployment(rpm=3), asked("b"), first.requests.end - 1000)
    assert third.requests
    assert third.requests.start == first.requests.end


def test_tokens_have_a_line_of_their_own() -> None:
    quota, grant = exchange(Quota(key="k"), deployment(tpm=90_000), asked(), NOW)
    assert grant.requests is None
    assert grant.tokens
    assert grant.tokens.units <= (grant.tokens.end - grant.tokens.start) * 90_000 / MINUTE
    assert quota.tokens_until == grant.tokens.end


# ---- Slots


def test_a_single_worker_gets_all_slots_that_it_wants() -> None:
    limits = deployment(max_parallel_requests=10)
    assert exchange(Quota(key="k"), limits, asked(slots=100), NOW)[1].slots == 10
    assert exchange(Quota(key="k"), limits, asked(slots=4), NOW)[1].slots == 4


def test_a_newcomer_gets_its_slots_as_they_are_given_back() -> None:
    limits = deployment(max_parallel_requests=10)
    quota, _ = exchange(Quota(key="k"), limits, asked("a"), NOW)
    quota, newcomer = exchange(quota, limits, asked("b"), NOW)
    assert newcomer.slots == 0
    quota, first = exchange(quota, limits, asked("a", in_flight=10), NOW)
    assert first.slots == 5
    quota, newcomer = exchange(quota, limits, asked("b"), NOW)
    assert newcomer.slots == 0, "the ten are still in flight"
    quota, _ = exchange(quota, limits, asked("a", in_flight=5), NOW)
    _, newcomer = exchange(quota, limits, asked("b"), NOW)
    assert newcomer.slots == 5


def test_the_slots_of_a_worker_that_died_or_left_are_free() -> None:
    limits = deployment(max_parallel_requests=10)
    quota, grant = exchange(Quota(key="k"), limits, asked("a"), NOW)
    assert exchange(quota, limits, asked("b"), grant.until - 1)[1].slots == 0
    assert exchange(quota, limits, asked("b"), grant.until)[1].slots == 10
    assert exchange(without(quota, "a"), limits, asked("b"), NOW)[1].slots == 10


@given(
    most=st.integers(1, 20),
    asks=st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(1, 30), st.integers(0, 5)), max_size=40
    ),
)
def test_no_order_of_asking_hands_out_more_slots_than_there_are(
    most: int, asks: list[tuple[str, int, int]]
) -> None:
    limits, quota = deployment(max_parallel_requests=most), Quota(key="k")
    allowed: dict[str, int] = {}
    for worker, wanted, ended in asks:
        in_flight = max(0, allowed.get(worker, 0) - ended)
        quota, grant = exchange(
            quota, limits, asked(worker, slots=wanted, in_flight=in_flight), NOW
        )
        assert grant.slots is not None
        allowed[worker] = max(grant.slots, in_flight)
        assert sum(allowed.values()) <= most


@given(
    st.integers(0, 50), st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 30), min_size=1)
)
def test_shares_are_fair(total: int, wanted: dict[str, int]) -> None:
    shares = fair_shares(total, wanted)
    assert sum(shares.values()) == min(total, sum(wanted.values()))
    for name, share in shares.items():
        assert 0 <= share <= wanted[name]
        if share < wanted[name]:
            assert all(other <= share + 1 for other in shares.values())


# ---- 429s


def test_a_slowdown_is_kept_with_the_longest_pause() -> None:
    first = Slowdown(paused_until=NOW + 9000, limit=8)
    quota, _ = exchange(Quota(key="k"), deployment(rpm=9), asked(slowdown=first), NOW)
    later = told(quota, Slowdown(paused_until=NOW + 100, limit=4), NOW + 50)
    assert later.slowdown == Slowdown(count=2, paused_until=NOW + 9000, limit=4, at=NOW + 50)


def test_an_item_is_forgotten_a_day_after_its_last_use() -> None:
    quota, _ = exchange(Quota(key="k"), deployment(rpm=9), asked(), NOW)
    assert quota.delete_at == NOW // 1000 + 24 * 3600


# ---- Whose limits they are


def test_what_a_provider_counts_together_shares_an_item() -> None:
    one = deployment(rpm=1)
    assert quota_key(one) == quota_key(one.model_copy(update={"name": "alias", "rpm": 2}))
    for other in ({"model": "x"}, {"api_key": "os.environ/OTHER"}, {"api_base": "http://x"}):
        assert quota_key(one) != quota_key(one.model_copy(update=other))


def test_a_deployment_is_limited_by_any_of_the_three() -> None:
    assert not is_limited(deployment())
    for name in ("rpm", "tpm", "max_parallel_requests"):
        assert is_limited(deployment(**{name: 1}))
