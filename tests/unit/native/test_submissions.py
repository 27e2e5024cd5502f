"""What starts a batch is either clear or unclear, and what was started is found again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from nightmail.errors import (
    ProviderError,
    ProviderGarbled,
    ProviderNotFound,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
    ProviderUnclear,
)
from nightmail.part import Ending
from nightmail.providers import native_lists
from nightmail.providers.base import Tag

from tests.unit.adapters.cases import CHAT, KEY
from tests.unit.native.cases import BATCH_ID, SINCE, TAG, NativeSamples, Told, intent
from tests.unit.native.script import Answer
from tests.unit.native.table import those


def _lists(samples: NativeSamples) -> bool:
    return samples.lists


def _cancels(samples: NativeSamples) -> bool:
    return samples.cancels


def ok(samples: NativeSamples) -> httpx.Response:
    return httpx.Response(200, json=samples.started("batch-1"))


def submitted(samples: NativeSamples, answer: Answer) -> str:
    provider, script = samples.scripted(*samples.submitting(), answer)
    try:
        return provider.submit(samples.prepared, samples.shard_input(), CHAT, TAG)
    finally:
        assert len(script.requests) == len(samples.submitting()) + 1
        assert [*map(samples.is_submission, script.requests)].index(True) == len(
            script.requests
        ) - 1


def found(samples: NativeSamples, *pages: Answer) -> list[str]:
    provider, _ = samples.scripted(*pages)
    return provider.find(intent())


# ---- Starting


def test_a_batch_that_was_started_has_an_id(samples: NativeSamples) -> None:
    assert submitted(samples, ok(samples)) == samples.identity("batch-1")


@pytest.mark.parametrize(
    "answer",
    [
        *(httpx.Response(status) for status in (408, 409, 425, 500, 502, 504, 520)),
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.RemoteProtocolError,
        httpx.DecodingError,
        httpx.TooManyRedirects,
    ],
)
def test_without_a_good_answer_it_is_unclear(samples: NativeSamples, answer: Answer) -> None:
    with pytest.raises(ProviderUnclear) as caught:
        submitted(samples, answer)
    assert caught.value.provider == samples.direct.provider
    if isinstance(answer, httpx.Response) and answer.is_error:
        assert caught.value.upstream_status == answer.status_code
    assert "may or may not have started" in caught.value.message


def test_an_answer_that_tells_nothing_is_unclear(samples: NativeSamples) -> None:
    for body in samples.unclear():
        with pytest.raises(ProviderUnclear):
            submitted(samples, httpx.Response(200, content=body))


@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (httpx.Response(400), ProviderRejected),
        (httpx.Response(401), ProviderRejected),
        (httpx.Response(402), ProviderRejected),
        (httpx.Response(403), ProviderRejected),
        (httpx.Response(404), ProviderNotFound),
        (httpx.Response(413), ProviderRejected),
        (httpx.Response(422), ProviderRejected),
        (httpx.Response(307), ProviderRejected),
        (httpx.Response(429), ProviderThrottled),
        (httpx.Response(503), ProviderUnavailable),
        (httpx.Response(529), ProviderUnavailable),
        (httpx.ConnectError, ProviderUnavailable),
        (httpx.ConnectTimeout, ProviderUnavailable),
        (httpx.UnsupportedProtocol, ProviderRejected),
    ],
)
def test_a_refusal_is_clear(
    samples: NativeSamples, answer: Answer, leaf: type[ProviderError]
) -> None:
    with pytest.raises(leaf) as caught:
        submitted(samples, answer)
    assert caught.value.provider == samples.direct.provider


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_neither_keys_nor_urls_are_told(samples: NativeSamples, status: int) -> None:
    said = samples.direct.error(status, f"Bad key {KEY} at http://10.0.0.7/private.")
    with pytest.raises(ProviderError) as caught:
        submitted(samples, httpx.Response(status, content=said))
    assert "Bad key *** at [link]" in caught.value.message


# ---- Preparing


def test_preparing_goes_before_and_starts_nothing(samples: NativeSamples) -> None:
    provider, script = samples.scripted(*samples.preparing())
    prepared = provider.prepare(samples.shard_input(), TAG)
    assert isinstance(prepared, str)
    assert len(script.requests) == len(samples.preparing())
    assert not any(samples.is_submission(request) for request in script.requests)


@those(lambda samples: samples.uploads)
def test_what_is_sent_tells_its_length_and_holds_every_line(samples: NativeSamples) -> None:
    content = samples.shard_input()
    provider, script = samples.scripted(*samples.preparing(), *samples.submitting(), ok(samples))
    provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
    for request in (each for each in script.requests if each.method == "POST"):
        assert request.headers["content-length"] == str(len(request.content))
        assert "transfer-encoding" not in request.headers
    whole = b"".join(request.content for request in script.requests)
    assert [line for line in content.read() if line.rstrip(b"\n") not in whole] == []


# ---- Finding


@those(_lists)
def test_the_batch_is_found_among_others(samples: NativeSamples) -> None:
    others = [
        Told(identity="other", left=5, tag=Tag("batch_other", 1)),
        Told(identity="older", left=3, created=SINCE - 4000, tag=Tag("batch_old", 1)),
    ]
    ours = Told(identity="ours", left=3)
    assert found(samples, samples.page(others[0], ours, others[1])) == [samples.identity("ours")]


@those(_lists)
def test_nothing_is_found_where_there_is_nothing(samples: NativeSamples) -> None:
    other = Told(identity="other", left=5, tag=Tag(BATCH_ID, 3))
    assert found(samples, samples.page()) == []
    assert found(samples, samples.page(other)) == []


@those(_lists)
def test_a_batch_that_has_ended_already_is_found(samples: NativeSamples) -> None:
    ended = Told(identity="ours", ending=Ending.COMPLETED, completed=2, failed=1)
    assert found(samples, samples.page(ended)) == [samples.identity("ours")]


@those(_lists)
def test_clocks_may_differ_by_ten_minutes(samples: NativeSamples) -> None:
    early = Told(identity="ours", left=3, created=SINCE - 600)
    assert found(samples, samples.page(early)) == [samples.identity("ours")]
    before = Told(identity="before", left=3, created=SINCE - 601)
    assert found(samples, samples.page(before)) == []


@those(_lists)
def test_pages_are_read_as_far_as_they_are_young(samples: NativeSamples) -> None:
    others = Tag("batch_other", 1)
    young = Told(identity="young", left=9, created=SINCE + 5, tag=others)
    ours = Told(identity="ours", left=3)
    old = [
        Told(identity=f"old-{age}", left=9, created=SINCE - age, tag=others)
        for age in (5000, 6000, 7000)
    ]
    never = [Told(identity="never", left=3)]
    provider, script = samples.scripted(*samples.pages([young], [ours], old, never)[:3])
    assert provider.find(intent()) == [samples.identity("ours")]
    queries = [dict(request.url.params) for request in script.requests]
    wanted = samples.queries("young")
    assert queries[: len(wanted)] == wanted


@those(_lists)
def test_a_list_that_begins_with_the_oldest_is_read_to_its_end(samples: NativeSamples) -> None:
    others = Tag("batch_other", 1)
    first = [
        Told(identity="a", left=9, created=1, tag=others),
        Told(identity="b", left=9, created=1, tag=others),
        Told(identity="c", left=9, created=2, tag=others),
    ]
    last = Told(identity="ours", left=3)
    assert found(samples, *samples.pages(first, [last])) == [samples.identity("ours")]


@those(lambda samples: samples.lists and not samples.newest_first)
def test_a_list_in_no_order_is_read_to_its_end(samples: NativeSamples) -> None:
    others = Tag("batch_other", 1)
    old = [
        Told(identity=f"old-{age}", left=9, created=SINCE - age, tag=others)
        for age in (5000, 7000, 9000, 6000)
    ]
    pages = samples.pages(old[:3], [old[3]], [Told(identity="ours", left=3)])
    assert found(samples, *pages) == [samples.identity("ours")]


@those(lambda samples: samples.lists and samples.newest_first)
def test_a_list_that_goes_back_in_time_is_left_where_it_is_too_old(samples: NativeSamples) -> None:
    others = Tag("batch_other", 1)
    old = [
        Told(identity=f"old-{age}", left=9, created=SINCE - age, tag=others) for age in (5000, 6000)
    ]
    first, _ = samples.pages(old, [Told(identity="never")])
    assert found(samples, first) == []


@those(lambda samples: samples.lists and samples.has_pages)
def test_a_page_that_comes_again_is_no_answer(samples: NativeSamples) -> None:
    other = Told(identity="other", left=9, tag=Tag("batch_other", 1))
    same, _ = samples.pages([other], [])
    with pytest.raises(ProviderGarbled):
        found(samples, same, same)


@those(lambda samples: samples.lists and samples.has_pages)
def test_nobody_knows_what_is_in_a_list_without_end(
    samples: NativeSamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_lists, "PAGES", 3)
    others = [
        [Told(identity=f"other-{place}", left=9, tag=Tag("batch_other", place))]
        for place in range(4)
    ]
    with pytest.raises(ProviderRejected):
        found(samples, *samples.pages(*others)[:3])


@those(_lists)
def test_a_list_of_odd_things_holds_nothing(samples: NativeSamples) -> None:
    name = samples.entries
    odd: list[Any] = [{name: None}, {name: "x"}, {name: [5, None]}, {name: [], "has_more": True}]
    for page in [*odd, {}] if samples.has_pages else [[], [5, None], [{}]]:
        assert found(samples, httpx.Response(200, json=page)) == []


@those(_lists)
@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (httpx.Response(404), ProviderNotFound),
        (httpx.Response(403), ProviderRejected),
        (httpx.Response(500), ProviderUnavailable),
        (httpx.Response(200, content=b"<html>"), ProviderGarbled),
        (httpx.ReadTimeout, ProviderUnavailable),
    ],
)
def test_a_list_that_cannot_be_read_says_so(
    samples: NativeSamples, answer: Answer, leaf: type[ProviderError]
) -> None:
    with pytest.raises(leaf):
        found(samples, answer)


# ---- Cancelling


@those(_cancels)
def test_a_batch_that_runs_is_asked_to_stop(samples: NativeSamples) -> None:
    provider, script = samples.scripted(httpx.Response(200, json=samples.batch(Told(left=3))))
    identity = samples.identity("batch-1")
    provider.cancel(identity)
    (request,) = script.requests
    path = samples.path(samples.cancel_path(identity))
    assert (request.method, request.url.path) == ("POST", path)


@those(_cancels)
@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refusal_to_stop_what_has_ended_is_no_error(samples: NativeSamples, status: int) -> None:
    ended = samples.batch(Told(ending=Ending.COMPLETED, completed=3))
    provider, script = samples.scripted(httpx.Response(status), httpx.Response(200, json=ended))
    identity = samples.identity("batch-1")
    provider.cancel(identity)
    looks = [(request.method, request.url.path) for request in script.requests[1:]]
    assert looks == [("GET", samples.path(samples.batch_path(identity)))]


@those(_cancels)
@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (httpx.Response(400), ProviderRejected),
        (httpx.Response(404), ProviderNotFound),
        (httpx.Response(500), ProviderUnavailable),
        (httpx.ReadTimeout, ProviderUnavailable),
    ],
)
def test_a_refusal_to_stop_what_runs_is_an_error(
    samples: NativeSamples, answer: Answer, leaf: type[ProviderError]
) -> None:
    running = httpx.Response(200, json=samples.batch(Told(left=3)))
    provider, _ = samples.scripted(answer, running)
    with pytest.raises(leaf):
        provider.cancel(samples.identity("batch-1"))
