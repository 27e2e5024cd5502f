"""Shards begin together, and the account runs few functions at a time: every one gets its turn."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from nightmail.config.settings import Settings

from tests.unit.machine import ASL, Json

THROTTLED = "Lambda.TooManyRequestsException"
FUNCTIONS = 10  # AWS Lambda developer guide, "Lambda quotas": what a new account may begin with
LONGEST_SUBMISSION = 600  # seconds, the default of SubmitTimeoutSeconds


def tasks(definition: Json) -> Iterator[tuple[str, Json]]:
    """Every Task by its name."""
    for name, state in definition["States"].items():
        if state["Type"] == "Task":
            yield name, state
        for within in [*state.get("Branches", []), state.get("ItemProcessor")]:
            yield from tasks(within) if within else ()


TASKS = dict(tasks(json.loads(ASL.read_text())))


def retrier_of(state: str) -> dict[str, Any]:
    """What the state machine does when Lambda has no room."""
    return next(rule for rule in TASKS[state]["Retry"] if THROTTLED in rule["ErrorEquals"])


def attempts_needed(retrier: Json, random: Random) -> int:
    """The most refusals that one of a full map's shards meets, until all have been submitted."""
    shards = Settings.model_fields["shard_concurrency"].default
    calls = [(0.0, shard, 0) for shard in range(shards)]
    ends: list[float] = []
    most = 0
    while calls:
        now, shard, refusals = heapq.heappop(calls)
        ends = [end for end in ends if end > now]
        if len(ends) < FUNCTIONS:
            ends.append(now + LONGEST_SUBMISSION)
            continue
        longest = retrier["IntervalSeconds"] * float(retrier["BackoffRate"]) ** min(refusals, 50)
        wait = random.uniform(0, min(longest, retrier["MaxDelaySeconds"]))
        most = max(most, refusals + 1)
        heapq.heappush(calls, (now + wait, shard, refusals + 1))
    return most


@pytest.mark.parametrize("seed", range(20))
def test_a_full_map_of_submissions_gets_through_an_account_of_ten_functions(seed: int) -> None:
    retrier = retrier_of("SubmitShard")
    assert retrier["JitterStrategy"] == "FULL"
    assert attempts_needed(retrier, Random(seed)) < retrier["MaxAttempts"]


@pytest.mark.parametrize("state", TASKS)
def test_every_task_waits_for_room_as_patiently(state: str) -> None:
    """A call that Lambda refused has not begun: trying it again costs a state transition."""
    assert retrier_of(state) == retrier_of("SubmitShard")
