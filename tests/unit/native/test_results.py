"""Results in whatever order and state they come: each one is an outcome, or garbage."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nightmail.errors import ProviderError, ProviderNotFound, ProviderUnavailable
from nightmail.line_ids import line_id
from nightmail.outcome import Kind, Outcome, to_row
from nightmail.part import OWED
from nightmail.providers import native_results
from nightmail.providers.base import Cursor, Result
from nightmail.usage import Usage, usage_of

from tests.unit.adapters.asked import answered
from tests.unit.adapters.cases import KEY, PUBLIC_MODEL
from tests.unit.native.cases import (
    Json,
    NativeSamples,
    a_line_id,
    as_jsonl,
    number_of,
    numbers_of,
)
from tests.unit.native.script import Answer, Torn
from tests.unit.native.table import those
from tests.unit.spoiled_json import spoiled


def _in_files(samples: NativeSamples) -> bool:
    return samples.in_files


def _downloads(samples: NativeSamples) -> bool:
    return samples.downloads


def results(samples: NativeSamples, content: bytes) -> list[Result]:
    return samples.read(samples.serving(content))


def outcome(samples: NativeSamples, entry: Json) -> Outcome:
    (result,) = results(samples, as_jsonl([entry]))
    assert result.outcome
    return result.outcome


def good(samples: NativeSamples, number: int) -> Json:
    return samples.answered(a_line_id(number), samples.direct.plain)


def answers(samples: NativeSamples) -> list[bytes]:
    """All the good answers of the direct lane's suite."""
    direct = samples.direct
    finished = [content for group in direct.finish_reasons.values() for content in group]
    return [direct.plain, direct.tools, direct.long_usage, *finished]


def test_a_good_answer_is_the_direct_lanes(samples: NativeSamples) -> None:
    for content in answers(samples):
        expected = answered(samples.direct, content)
        details = expected.pop("nightmail")
        (result,) = results(samples, as_jsonl([samples.answered(a_line_id(7), content)]))
        found = result.outcome
        assert found
        assert found.response
        assert (found.number, found.kind, found.error) == (7, Kind.ANSWERED, None)
        assert found.response["status_code"] == 200
        assert _timeless(found.response["body"]) == _timeless(expected)
        assert isinstance(found.response["body"]["created"], int)
        assert found.details == details
        assert result.usage == usage_of(expected) != Usage()


def test_the_model_is_the_public_one(samples: NativeSamples) -> None:
    found = outcome(samples, good(samples, 1))
    assert found.response
    assert found.response["body"]["model"] == PUBLIC_MODEL


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 504, 529])
def test_an_error_is_a_refusal_with_its_status_and_words(
    samples: NativeSamples, status: int
) -> None:
    found = outcome(samples, samples.refused(a_line_id(7), status, "It says why."))
    assert (found.number, found.kind, found.error) == (7, Kind.REFUSED, None)
    assert found.response
    assert found.response["status_code"] == status
    error = found.response["body"]["error"]
    assert "It says why." in error["message"]
    assert {"message", "type", "param", "code"} <= error.keys()


def test_an_error_tells_no_secret(samples: NativeSamples) -> None:
    said = f"Bad key {KEY} or sk-proj-abcdefgh1234 at http://10.0.0.7:8080/private."
    found = outcome(samples, samples.refused(a_line_id(7), 401, said))
    assert "Bad key *** or *** at [link]." in json.dumps(found.response)


def test_a_line_that_was_not_run_is_told_so(samples: NativeSamples) -> None:
    for ending in samples.told_unanswered:
        found = outcome(samples, samples.unanswered(a_line_id(7), ending))
        assert found == Outcome(7, Kind.FAILED, error=OWED[ending])


def test_results_come_in_any_order_and_more_than_once(samples: NativeSamples) -> None:
    found = results(samples, as_jsonl([good(samples, number) for number in (3, 1, 3, 2)]))
    assert numbers_of(found) == [3, 1, 3, 2]


def test_what_is_not_ours_is_garbage_and_its_neighbours_are_read(samples: NativeSamples) -> None:
    plain = samples.direct.plain
    strays = [
        samples.answered(line_id("batch_" + "e" * 32, 1), plain),
        samples.answered("1", plain),
        samples.answered("", plain),
        samples.answered(a_line_id(1) + "-x", plain),
        {},
    ]
    odd = b"".join(line + b"\n" for line in samples.garbage)
    content = as_jsonl([*strays, good(samples, 2)]) + odd + as_jsonl([good(samples, 4)])
    numbers = [None] * len(strays) + [2] + [None] * len(samples.garbage) + [4]
    assert numbers_of(results(samples, content)) == numbers


@those(_in_files)
def test_blank_lines_are_nothing(samples: NativeSamples) -> None:
    content = b"\n  \n" + as_jsonl([good(samples, 1)]) + b"\r\n\n"
    assert len(results(samples, content)) == 1


@those(_in_files)
def test_half_a_line_at_the_end_is_garbage(samples: NativeSamples) -> None:
    whole = as_jsonl([good(samples, 1), good(samples, 2)])
    assert numbers_of(results(samples, whole[:-20])) == [1, None]


@those(_downloads)
def test_what_came_before_the_connection_broke_is_kept(samples: NativeSamples) -> None:
    whole = as_jsonl([good(samples, 1), good(samples, 2)])
    torn = httpx.Response(200, stream=Torn(whole[:-20]))
    provider, _ = samples.scripted(torn, httpx.Response(206, content=whole[len(whole) // 2 :]))
    found = provider.results(samples.output_ids(), PUBLIC_MODEL, Cursor(), number_of)
    first = next(found)
    assert first.behind == Cursor(0, len(whole) // 2)
    with pytest.raises(ProviderUnavailable):
        next(found)
    (second,) = provider.results(samples.output_ids(), PUBLIC_MODEL, first.behind, number_of)
    assert second.outcome
    assert second.outcome.number == 2
    assert second.behind == Cursor(0, len(whole))


def test_results_are_read_on_from_any_place(samples: NativeSamples) -> None:
    content = as_jsonl([good(samples, number) for number in (1, 2, 3)])
    whole = results(samples, content)
    for read_before, result in enumerate(whole, 1):
        rest = samples.read(samples.serving(content), result.behind)
        assert numbers_of(rest) == numbers_of(whole[read_before:])


@those(_downloads)
@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_download_goes_on_from_any_place(samples: NativeSamples, knows_ranges: bool) -> None:
    content = as_jsonl([good(samples, number) for number in (1, 2, 3)])
    whole = results(samples, content)
    for read_before, result in enumerate(whole, 1):
        start = result.behind.offset
        ranged = httpx.Response(206, content=content[start:])
        provider, script = samples.scripted(
            ranged if knows_ranges else httpx.Response(200, content=content)
        )
        assert numbers_of(samples.read(provider, result.behind)) == numbers_of(whole[read_before:])
        assert script.requests[0].headers["range"] == f"bytes={start}-"
        assert script.requests[0].headers["accept-encoding"] == "identity"


@those(_downloads)
def test_nothing_is_behind_the_end(samples: NativeSamples) -> None:
    provider, _ = samples.scripted(httpx.Response(416))
    assert samples.read(provider, Cursor(0, 1000)) == []


def test_several_outputs_are_read_one_after_the_other(samples: NativeSamples) -> None:
    contents = [as_jsonl([good(samples, place + 1)]) for place in range(samples.outputs)]
    found = samples.read(samples.serving(*contents), outputs=samples.outputs)
    assert [each.behind.output for each in found] == list(range(samples.outputs))
    assert numbers_of(found) == list(range(1, samples.outputs + 1))


@those(_downloads)
def test_the_place_in_one_output_is_none_in_the_next(samples: NativeSamples) -> None:
    contents = [
        as_jsonl([good(samples, 2 * place + 1), good(samples, 2 * place + 2)])
        for place in range(samples.outputs)
    ]
    half = len(contents[0]) // 2
    ranged = [contents[0][half:], *contents[1:]]
    provider, script = samples.scripted(*(httpx.Response(206, content=each) for each in ranged))
    found = samples.read(provider, Cursor(0, half), outputs=samples.outputs)
    for place, request in enumerate(script.requests):
        assert request.method == "GET"
        assert samples.output_ids(samples.outputs)[place] in request.url.path
    assert numbers_of(found) == list(range(2, 2 * samples.outputs + 1))
    assert ["range" in request.headers for request in script.requests] == [
        place == 0 for place in range(samples.outputs)
    ]
    provider, script = samples.scripted(httpx.Response(206, content=contents[-1][half:]))
    last = samples.outputs - 1
    assert len(samples.read(provider, Cursor(last, half), outputs=samples.outputs)) == 1
    assert samples.output_ids(samples.outputs)[last] in script.requests[0].url.path


@those(_downloads)
def test_what_was_read_is_skipped_however_it_is_cut(samples: NativeSamples) -> None:
    content = as_jsonl([good(samples, number) for number in (1, 2, 3)])
    start = len(content) // 3
    for size in (1, 7, start - 1, start, start + 1):
        pieces = [content[place : place + size] for place in range(0, len(content), size)]
        provider, _ = samples.scripted(httpx.Response(200, content=iter(pieces)))
        assert numbers_of(samples.read(provider, Cursor(0, start))) == [2, 3]


def test_an_answer_that_is_nested_too_deeply_is_a_failure(samples: NativeSamples) -> None:
    deep = b"[" * 300 + b"]" * 300
    entry = {**good(samples, 7), "deep": "DEEP"}
    content = as_jsonl([entry]).replace(b'"DEEP"', deep)
    (result,) = results(samples, content)
    assert result.outcome
    assert (result.outcome.number, result.outcome.kind) == (7, Kind.FAILED)
    assert result.outcome.error
    assert result.outcome.error["code"] == "provider_garbled"


@those(_in_files)
def test_a_result_that_is_longer_than_we_can_hold_is_garbage(
    samples: NativeSamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_results, "MAX_RESULT_BYTES", 10)
    found = results(samples, as_jsonl([good(samples, 1)]))
    assert [result.outcome for result in found] == [None]


@those(_downloads)
@pytest.mark.parametrize(
    ("answer", "leaf"),
    [
        (httpx.Response(404), ProviderNotFound),
        (httpx.Response(503), ProviderUnavailable),
        (httpx.ConnectError, ProviderUnavailable),
        (httpx.ReadTimeout, ProviderUnavailable),
    ],
)
def test_results_that_cannot_be_read_are_a_leaf_of_the_tree(
    samples: NativeSamples, answer: Answer, leaf: type[ProviderError]
) -> None:
    provider, _ = samples.scripted(answer)
    with pytest.raises(leaf) as caught:
        samples.read(provider)
    assert caught.value.provider == samples.direct.provider


@those(_downloads)
def test_a_refusal_of_results_tells_no_secret(samples: NativeSamples) -> None:
    said = samples.direct.error(401, f"Bad key {KEY}.")
    provider, _ = samples.scripted(httpx.Response(401, content=said))
    with pytest.raises(ProviderError) as caught:
        samples.read(provider)
    assert "Bad key ***." in caught.value.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(data=st.data())
def test_every_outcome_that_is_read_can_be_written(
    samples: NativeSamples, data: st.DataObject
) -> None:
    entry = data.draw(
        st.sampled_from(
            [
                good(samples, 1),
                samples.refused(a_line_id(1), 400, "No."),
                *(samples.unanswered(a_line_id(1), end) for end in samples.told_unanswered),
            ]
        )
    )
    for result in results(samples, as_jsonl([spoiled(entry, data)])):
        if result.outcome:
            to_row(result.outcome)


@those(_in_files)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(content=st.binary())
def test_no_bytes_break_the_reader(samples: NativeSamples, content: bytes) -> None:
    assert all(result.outcome is None for result in results(samples, content))


def _timeless(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in {"id", "created"}}
