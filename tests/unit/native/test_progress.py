"""How far a batch is: whatever the provider says of it, it is running or has ended somehow."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from nightmail.part import Ending
from nightmail.providers.base import BatchProvider, Phase, Progress

from tests.unit.adapters.cases import KEY
from tests.unit.native.cases import Json, NativeSamples, Told, intent
from tests.unit.native.script import Answer
from tests.unit.native.table import those
from tests.unit.spoiled_json import JSON


def polled(samples: NativeSamples, answer: Answer | Json) -> Progress:
    answer = httpx.Response(200, json=answer) if isinstance(answer, dict) else answer
    provider, script = samples.scripted(answer)
    identity = samples.identity("batch-1")
    progress = provider.poll(identity)
    assert script.requests[0].url.path == samples.path(samples.batch_path(identity))
    return progress


def seen(samples: NativeSamples, told: Told) -> Progress:
    return polled(samples, samples.batch(told))


def test_every_status_word_is_a_phase(samples: NativeSamples) -> None:
    for word, phase in samples.words.items():
        progress = seen(samples, Told(word=word))
        assert (progress.status, progress.phase) == (word, phase)
        assert (progress.ending is None) is (phase is Phase.RUNNING)


@those(lambda samples: bool(samples.words))
@pytest.mark.parametrize("word", ["reticulating", "", "Complete", "x" * 200])
def test_a_word_that_nobody_knows_is_running_and_kept(samples: NativeSamples, word: str) -> None:
    batch = json.dumps(samples.batch(Told(word="SOME WORD")))
    assert "SOME WORD" in batch
    progress = polled(samples, json.loads(batch.replace("SOME WORD", word)))
    assert (progress.phase, progress.status, progress.ending) == (Phase.RUNNING, word[:100], None)


def test_an_end_tells_how_and_what_there_is(samples: NativeSamples) -> None:
    for ending in samples.endings:
        left = 0 if ending is Ending.COMPLETED else 3
        progress = seen(samples, Told(ending=ending, completed=2, failed=1, left=left))
        assert (progress.phase, progress.ending) == (Phase.ENDED, ending)
        assert (progress.completed, progress.failed) == samples.counted(2, 1, left)
        assert bool(progress.output_ids) is (ending not in samples.without_results)


def test_all_lines_may_have_failed(samples: NativeSamples) -> None:
    progress = seen(samples, Told(ending=Ending.COMPLETED, failed=3))
    assert progress.ending is Ending.COMPLETED
    assert (progress.completed, progress.failed) == samples.counted(0, 3)


@those(lambda samples: samples.is_ever_late)
def test_results_that_are_not_there_yet_are_not_named(samples: NativeSamples) -> None:
    late = seen(samples, Told(ending=Ending.COMPLETED, completed=3, has_results=False))
    assert (late.phase, late.output_ids) == (Phase.ENDED, [])
    assert seen(samples, Told(left=3)).output_ids == []


def test_counts_that_lag_are_no_counts(samples: NativeSamples) -> None:
    progress = seen(samples, Told(ending=Ending.COMPLETED))
    assert (progress.completed, progress.failed) == (0, 0)


@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (httpx.Response(401), ProviderRejected),
        (httpx.Response(404), ProviderNotFound),
        (httpx.Response(429), ProviderThrottled),
        (httpx.Response(500), ProviderUnavailable),
        (httpx.Response(529), ProviderUnavailable),
        (httpx.Response(200, content=b"<html>"), ProviderGarbled),
        (httpx.Response(200, content=b"[]"), ProviderGarbled),
        (httpx.ConnectError, ProviderUnavailable),
        (httpx.ReadTimeout, ProviderUnavailable),
    ],
)
def test_a_look_that_fails_is_a_leaf_of_the_tree(
    samples: NativeSamples, answer: Answer, leaf: type[Exception]
) -> None:
    with pytest.raises(ProviderError) as caught:
        polled(samples, answer)
    assert type(caught.value) is leaf
    assert caught.value.provider == samples.direct.provider
    assert caught.value.message.startswith(f"{samples.direct.provider} ")


def test_a_look_takes_no_longer_than_a_function_can_wait(samples: NativeSamples) -> None:
    batch, identity = httpx.Response(200, json=samples.batch(Told(left=3))), samples.identity("b")
    calls: list[tuple[httpx.Response, Callable[[BatchProvider], object]]] = [
        (batch, lambda provider: provider.poll(identity))
    ]
    if samples.cancels:
        calls.append((batch, lambda provider: provider.cancel(identity)))
    if samples.lists:
        calls.append((samples.page(), lambda provider: provider.find(intent())))
    for answer, call in calls:
        provider, script = samples.scripted(answer)
        call(provider)
        (request,) = script.requests
        assert request.extensions["timeout"]["read"] == 20


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_what_a_provider_says_of_its_refusal_holds_no_secret(
    samples: NativeSamples, status: int
) -> None:
    said = samples.direct.error(status, f"Bad key {KEY} at http://10.0.0.7/private.")
    with pytest.raises((ProviderRejected, ProviderNotFound, ProviderUnavailable)) as caught:
        polled(samples, httpx.Response(status, content=said))
    assert "Bad key *** at [link]" in caught.value.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_no_batch_object_breaks_the_reader(samples: NativeSamples, data: st.DataObject) -> None:
    batch = samples.batch(Told(ending=data.draw(st.sampled_from([*Ending, None])), completed=1))
    for name in data.draw(st.lists(st.sampled_from(sorted(batch)), max_size=4)):
        batch[name] = data.draw(JSON)
    polled(samples, httpx.Response(200, content=json.dumps(batch).encode()))


def test_the_suites_own_batches_are_what_the_provider_describes(samples: NativeSamples) -> None:
    for ending in (None, *samples.endings):
        for has_results in (True, False):
            told = Told(ending=ending, completed=1, failed=1, left=1, has_results=has_results)
            samples.check_batch(samples.batch(told))
