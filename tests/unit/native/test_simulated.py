"""Every adapter leads whole batches at the provider simulator, which has its moods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import time
from typing import Any

import httpx
import pytest
from nightmail.errors import ProviderNotFound, ProviderRejected, ProviderUnclear
from nightmail.outcome import Kind, Outcome
from nightmail.part import OWED, Ending
from nightmail.providers.base import (
    BatchProvider,
    Cursor,
    Phase,
    Progress,
    Result,
    ShardInput,
    Tag,
)
from nightmail.providers.direct import HttpAnswer

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, FEATURES, KEY, PUBLIC_MODEL
from tests.unit.native.cases import (
    BEGINNING,
    TAG,
    Json,
    NativeSamples,
    a_line_id,
    intent,
    number_of,
    numbers_of,
)
from tests.unit.native.table import those

Numbers = list[int | None]


class Shard:
    """Lines at the simulated provider, and the adapter that leads them."""

    def __init__(self, samples: NativeSamples, simulator: SimulatorClient) -> None:
        self._samples = samples
        self._simulator = simulator
        self._base = simulator.base_of(samples.direct.provider)
        self._prepared = ""
        self.provider: BatchProvider = samples.opened(self._base)

    def submit(self, bodies: Sequence[Mapping[str, Any]]) -> str:
        lines = [
            self._samples.format().to_line(self._samples.line(number, body), a_line_id(number))
            for number, body in enumerate(bodies, 1)
        ]
        content = ShardInput(lambda: lines, sum(map(len, lines)), len(lines))
        self._prepared = self.provider.prepare(content, TAG)
        return self.provider.submit(self._prepared, content, CHAT, TAG)

    def find(self, since: int = 0) -> list[str]:
        """What may be the last submission."""
        return self.provider.find(intent(self._prepared, since=since))

    def ask(self, count: int = 3, words: str = "") -> str:
        questions = [f"Question {number} {words}" for number in range(1, count + 1)]
        return self.submit([{"messages": [{"role": "user", "content": q}]} for q in questions])

    def run(self, count: int = 3, words: str = "") -> Progress:
        """From submission to the end; what runs on over its time is asked to stop."""
        identity = self.ask(count, words)
        self._simulator.until_final(identity)
        progress = self.provider.poll(identity)
        if not progress.is_overdue:
            return progress
        self.provider.cancel(identity)
        return self.provider.poll(identity)

    def results(self, progress: Progress, cursor: Cursor = BEGINNING) -> list[Result]:
        return list(self.provider.results(progress.output_ids, PUBLIC_MODEL, cursor, number_of))

    def outcomes(self, progress: Progress) -> list[Outcome]:
        found = [result.outcome for result in self.results(progress)]
        return sorted((one for one in found if one), key=lambda outcome: outcome.number)

    def numbers(self, progress: Progress) -> Numbers:
        """In the order in which they come; None for garbage."""
        return numbers_of(self.results(progress))

    def ask_directly(self, body: Mapping[str, Any]) -> Json:
        adapter = self._samples.direct.adapter(api_base=self._base)
        whole = {"model": "any", **self._samples.direct.extra, **body}
        request = adapter.request(CHAT, whole)
        answer = httpx.post(
            request.url, content=request.content, headers=request.headers, trust_env=False
        )
        return adapter.answer(CHAT, whole, HttpAnswer(200, {}, answer.content))


@pytest.fixture
def shard(samples: NativeSamples, simulator: SimulatorClient) -> Shard:
    samples.rehearse(simulator)
    return Shard(samples, simulator)


def _finds(samples: NativeSamples) -> bool:
    return samples.finds


def _cancels(samples: NativeSamples) -> bool:
    return samples.cancels


def test_all_features_are_taken_and_answered_as_directly(
    shard: Shard, simulator: SimulatorClient, samples: NativeSamples
) -> None:
    bodies = [feature.body for feature in FEATURES if samples.has(feature.name)]
    identity = shard.submit(bodies)
    simulator.until_final(identity)
    outcomes = shard.outcomes(shard.provider.poll(identity))
    assert [outcome.number for outcome in outcomes] == list(range(1, len(bodies) + 1))
    for outcome, body in zip(outcomes, bodies, strict=True):
        assert outcome.response
        assert outcome.response["body"]["choices"] == shard.ask_directly(body)["choices"]


# ---- Unclear answers


@those(_finds)
@pytest.mark.parametrize("when", ["after", "during"])
def test_what_was_started_without_an_answer_is_found(
    shard: Shard, simulator: SimulatorClient, samples: NativeSamples, when: str
) -> None:
    simulator.behave({"kind": "drop", "when": when, "match": samples.submission})
    with pytest.raises(ProviderUnclear):
        shard.ask()
    (started,) = simulator.batches()
    assert shard.find(since=round(time())) == [started["id"]]
    other = intent("another file", lines=4, tag=Tag("batch_other", 1))
    assert shard.provider.find(other) == []
    if samples.lists:
        assert shard.find(since=round(time()) + 3600) == []


@those(_finds)
def test_what_was_never_started_is_not_found(
    shard: Shard, simulator: SimulatorClient, samples: NativeSamples
) -> None:
    simulator.behave({"kind": "drop", "when": "before", "match": samples.submission})
    with pytest.raises(ProviderUnclear):
        shard.ask()
    assert shard.find() == []


@those(lambda samples: samples.finds and not samples.makes_once)
def test_two_batches_that_look_alike_are_told_apart_by_tags_or_not_at_all(
    shard: Shard, simulator: SimulatorClient
) -> None:
    identities = {shard.ask(), shard.ask()}
    found = shard.find()
    if shard.provider.is_tagged:
        assert len(found) == 1
    assert set(found) <= identities
    assert set(found) == identities or shard.provider.is_tagged


def test_a_wrong_key_is_refused(shard: Shard, simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "refused_key"})
    with pytest.raises(ProviderRejected) as caught:
        shard.ask()
    assert KEY not in caught.value.message


# ---- Endings


def test_all_lines_may_fail(shard: Shard, samples: NativeSamples) -> None:
    progress = shard.run(words="[[fail:400]]")
    assert progress.ending is Ending.COMPLETED
    assert (progress.completed, progress.failed) == samples.counted(0, 3)
    outcomes = shard.outcomes(progress)
    assert [outcome.kind for outcome in outcomes] == [Kind.REFUSED] * 3


@pytest.mark.parametrize("status", [429, 500])
def test_a_line_that_may_succeed_later_says_so(shard: Shard, status: int) -> None:
    for outcome in shard.outcomes(shard.run(words=f"[[fail:{status}]]")):
        assert outcome.response
        assert outcome.response["status_code"] == status


@those(_cancels)
def test_a_cancel_stops_what_was_not_run_yet(
    shard: Shard, simulator: SimulatorClient, samples: NativeSamples
) -> None:
    simulator.behave({"kind": "stuck_batch", "after_lines": 2})
    identity = shard.ask(5)
    simulator.until_settled()
    shard.provider.cancel(identity)
    simulator.until_final(identity)
    progress = shard.provider.poll(identity)
    assert progress.ending is Ending.CANCELLED
    assert progress.completed == samples.counted(2, 0)[0]
    outcomes = shard.outcomes(progress)
    answered = [outcome for outcome in outcomes if outcome.kind is Kind.ANSWERED]
    assert len(answered) == 2
    told = [outcome.error and outcome.error["code"] for outcome in outcomes if outcome.error]
    assert set(told) <= {OWED[Ending.CANCELLED]["code"]}


@those(_cancels)
def test_a_cancel_before_the_first_line_and_after_the_end(
    shard: Shard, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "stuck_batch"})
    identity = shard.ask()
    simulator.until_settled()
    shard.provider.cancel(identity)
    shard.provider.cancel(identity)  # it is being cancelled
    simulator.until_final(identity)
    shard.provider.cancel(identity)
    progress = shard.provider.poll(identity)
    assert (progress.ending, progress.completed) == (Ending.CANCELLED, 0)


@those(lambda samples: Ending.EXPIRED in samples.endings)
def test_what_came_before_the_expiry_is_there(
    shard: Shard, simulator: SimulatorClient, samples: NativeSamples
) -> None:
    simulator.behave({"kind": "expired_batch", "after_lines": 2})
    progress = shard.run(5)
    assert progress.ending is Ending.EXPIRED
    kept = 0 if Ending.EXPIRED in samples.without_results else 2
    assert progress.completed == samples.counted(kept, 0)[0]
    outcomes = shard.outcomes(progress)
    answered = [outcome for outcome in outcomes if outcome.kind is Kind.ANSWERED]
    assert len(answered) == kept
    told = [outcome.error and outcome.error["code"] for outcome in outcomes if outcome.error]
    left = 3 if Ending.EXPIRED in samples.told_unanswered else 0
    assert told == [OWED[Ending.EXPIRED]["code"]] * left


def test_a_batch_that_vanished_is_not_found(
    shard: Shard, simulator: SimulatorClient, samples: NativeSamples
) -> None:
    simulator.behave({"kind": "vanished_batch"})
    identity = shard.ask()
    with pytest.raises(ProviderNotFound):
        shard.provider.poll(identity)
    if samples.cancels:
        with pytest.raises(ProviderNotFound):
            shard.provider.cancel(identity)


# ---- Moods


@those(lambda samples: bool(samples.words))
def test_a_word_that_nobody_knows_is_running(shard: Shard, simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "odd_status", "word": "reticulating", "polls": 1})
    identity = shard.ask()
    simulator.until_final(identity)
    odd, true = shard.provider.poll(identity), shard.provider.poll(identity)
    assert (odd.phase, odd.status) == (Phase.RUNNING, "reticulating")
    assert true.phase is Phase.ENDED


def test_counts_and_results_may_lag(
    shard: Shard, simulator: SimulatorClient, samples: NativeSamples
) -> None:
    simulator.behave({"kind": "lagging_counts", "polls": 1}, {"kind": "late_output", "polls": 1})
    identity = shard.ask()
    simulator.until_final(identity)
    early, late = shard.provider.poll(identity), shard.provider.poll(identity)
    assert (early.phase, early.completed) == (Phase.ENDED, 0)
    assert bool(early.output_ids) is not samples.is_ever_late
    assert (late.phase, bool(late.output_ids)) == (Phase.ENDED, True)
    assert late.completed == samples.counted(3, 0)[0]


def _missing(numbers: Numbers) -> bool:
    return len(numbers) == 4


def _doubled(numbers: Numbers) -> bool:
    return len(numbers) == 6 and len(set(numbers)) == 5


def _with_one_more(numbers: Numbers) -> bool:
    return len(numbers) == 6 and numbers.count(None) == 1


def _half(numbers: Numbers) -> bool:
    return 2 <= len(numbers) <= 3 and None not in numbers


@pytest.mark.parametrize(
    ("fault", "is_as_expected"),
    [
        ({"kind": "missing"}, _missing),
        ({"kind": "duplicated"}, _doubled),
        ({"kind": "garbage"}, _with_one_more),
        ({"kind": "unknown_ids"}, _with_one_more),
        ({"kind": "truncated"}, _half),
    ],
)
def test_results_that_are_spoiled_are_read_all_the_same(
    shard: Shard, simulator: SimulatorClient, fault: Json, is_as_expected: Callable[[Numbers], bool]
) -> None:
    simulator.behave(fault)
    numbers = shard.numbers(shard.run(5))
    assert is_as_expected(numbers), numbers
    assert {number for number in numbers if number} <= {1, 2, 3, 4, 5}


@those(lambda samples: samples.in_files)
def test_a_result_that_ends_in_its_middle_is_garbage(
    shard: Shard, simulator: SimulatorClient
) -> None:
    simulator.behave({"kind": "truncated", "mid_line": True})
    numbers = shard.numbers(shard.run(5))
    assert numbers[-1] is None
    assert 3 <= len(numbers) <= 4
    assert {number for number in numbers if number} <= {1, 2, 3, 4, 5}


def test_results_are_read_on_from_any_place(shard: Shard) -> None:
    progress = shard.run(5)
    whole = shard.results(progress)
    assert len(whole) == 5
    for read_before, result in enumerate(whole, 1):
        rest = shard.results(progress, result.behind)
        assert numbers_of(rest) == numbers_of(whole[read_before:])


def test_usage_is_counted(shard: Shard, samples: NativeSamples) -> None:
    progress = shard.run(words="[[cached:40]] [[think:9]]")
    for result in shard.results(progress):
        assert result.usage.cached_tokens == 40
        assert result.usage.reasoning_tokens == 9 * samples.direct.has_reasoning_tokens
        assert result.usage.output_tokens > 9
        assert result.usage.input_tokens > 40
