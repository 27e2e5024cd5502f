"""What starts a batch is either clear or unclear, and what was started is found again."""

from __future__ import annotations

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
from nightmail.providers import native_http
from nightmail.providers.base import Tag

from tests.unit.adapters.cases import CHAT, KEY
from tests.unit.native.cases import BATCH_ID, SINCE, TAG, NativeSamples, Told, intent
from tests.unit.native.script import Answer

OK = {"id": "batch-1"}


def submitted(samples: NativeSamples, answer: Answer) -> str:
    provider, script = samples.scripted(answer)
    try:
        return provider.submit("file-1", samples.shard_input(), CHAT, TAG)
    finally:
        (request,) = script.requests
        assert (request.method, request.url.path) == ("POST", f"/v1{samples.batches}")


def found(samples: NativeSamples, *pages: Answer) -> list[str]:
    provider, _ = samples.scripted(*pages)
    return provider.find(intent())


# ---- Starting


def test_a_batch_that_was_started_has_an_id(samples: NativeSamples) -> None:
    assert submitted(samples, httpx.Response(200, json=OK)) == "batch-1"


@pytest.mark.parametrize(
    "answer",
    [
        *(httpx.Response(status) for status in (408, 409, 425, 500, 502, 504, 520)),
        *(
            httpx.Response(200, content=body)
            for body in (b"", b"<html>", b"[]", b"{}", b'{"id": 5}', b'{"id": ""}', b'{"id"')
        ),
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
    provider, script = samples.scripted(httpx.Response(200, json={"id": "file-1"}))
    prepared = provider.prepare(samples.shard_input(), TAG)
    assert isinstance(prepared, str)
    assert all(request.url.path != f"/v1{samples.batches}" for request in script.requests)


def test_what_is_sent_tells_its_length_and_holds_every_line(samples: NativeSamples) -> None:
    content = samples.shard_input()
    answer = httpx.Response(200, json=OK)
    provider, script = samples.scripted(answer, answer)
    provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
    for request in script.requests:
        assert request.headers["content-length"] == str(len(request.content))
        assert "transfer-encoding" not in request.headers
    whole = b"".join(request.content for request in script.requests)
    assert [line for line in content.read() if line.rstrip(b"\n") not in whole] == []


# ---- Finding


def test_the_batch_is_found_among_others(samples: NativeSamples) -> None:
    others = [
        Told(identity="other", left=5, tag=Tag("batch_other", 1)),
        Told(identity="older", left=3, created=SINCE - 4000, tag=Tag("batch_old", 1)),
    ]
    ours = Told(identity="ours", left=3)
    assert found(samples, samples.page(others[0], ours, others[1])) == ["ours"]


def test_nothing_is_found_where_there_is_nothing(samples: NativeSamples) -> None:
    other = Told(identity="other", left=5, tag=Tag(BATCH_ID, 3))
    assert found(samples, samples.page()) == []
    assert found(samples, samples.page(other)) == []


def test_a_batch_that_has_ended_already_is_found(samples: NativeSamples) -> None:
    ended = Told(identity="ours", ending=Ending.COMPLETED, completed=2, failed=1)
    assert found(samples, samples.page(ended)) == ["ours"]


def test_clocks_may_differ_by_ten_minutes(samples: NativeSamples) -> None:
    early = Told(identity="ours", left=3, created=SINCE - 600)
    assert found(samples, samples.page(early)) == ["ours"]
    before = Told(identity="before", left=3, created=SINCE - 601)
    assert found(samples, samples.page(before)) == []


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
    assert provider.find(intent()) == ["ours"]
    queries = [dict(request.url.params) for request in script.requests]
    if not samples.has_pages:
        assert queries == [{}]
        return
    if samples.numbers_pages:
        sized = {"page_size": str(native_http.PAGE)}
        assert queries == [{**sized, "page": str(number)} for number in range(3)][: len(queries)]
        return
    assert queries[0] == {"limit": str(native_http.PAGE)}
    assert queries[1].pop("limit") == str(native_http.PAGE)
    assert list(queries[1].values()) == ["young"]


def test_a_list_that_begins_with_the_oldest_is_read_to_its_end(samples: NativeSamples) -> None:
    others = Tag("batch_other", 1)
    first = [
        Told(identity="a", left=9, created=1, tag=others),
        Told(identity="b", left=9, created=1, tag=others),
        Told(identity="c", left=9, created=2, tag=others),
    ]
    last = Told(identity="ours", left=3)
    assert found(samples, *samples.pages(first, [last])) == ["ours"]


def test_a_list_of_odd_things_holds_nothing(samples: NativeSamples) -> None:
    odd = [{"data": None}, {"data": "x"}, {"data": [5, None]}, {"data": [], "has_more": True}, {}]
    if not samples.has_pages:
        odd = [[], [5, None], [{}]]
    for page in odd:
        assert found(samples, httpx.Response(200, json=page)) == []


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


def test_a_batch_that_runs_is_asked_to_stop(samples: NativeSamples) -> None:
    provider, script = samples.scripted(httpx.Response(200, json=samples.batch(Told(left=3))))
    provider.cancel("batch-1")
    (request,) = script.requests
    assert (request.method, request.url.path) == ("POST", f"/v1{samples.batches}/batch-1/cancel")


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_refusal_to_stop_what_has_ended_is_no_error(samples: NativeSamples, status: int) -> None:
    ended = samples.batch(Told(ending=Ending.COMPLETED, completed=3))
    provider, script = samples.scripted(httpx.Response(status), httpx.Response(200, json=ended))
    provider.cancel("batch-1")
    looks = [(request.method, request.url.path) for request in script.requests[1:]]
    assert looks == [("GET", f"/v1{samples.batches}/batch-1")]


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
        provider.cancel("batch-1")
