"""What xAI's batches have that no other provider's have: no status, mere dates, and codes for refusals."""

from __future__ import annotations

import httpx
import pytest
from nightmail.errors import ProviderRejected
from nightmail.outcome import Kind
from nightmail.part import OWED, Ending
from nightmail.payloads import Next
from nightmail.providers.base import Cursor, Phase, Tag
from nightmail.providers.native_http import LOOK
from nightmail.providers.registry import open_format, open_provider
from nightmail.providers.xai.batch_results import made_at, name_of, to_progress

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, KEY, PUBLIC_MODEL
from tests.unit.native.cases import (
    SINCE,
    TAG,
    Told,
    a_line_id,
    as_jsonl,
    intent,
    number_of,
    numbers_of,
)
from tests.unit.native.xai_samples import XAI, a_batch, failed, pages_of
from tests.unit.planning import deployment
from tests.unit.world import World, requests

NOW = float(SINCE)
COMPLETED = a_batch(Told(ending=Ending.COMPLETED, completed=3))


def test_a_batch_that_has_not_taken_all_lines_yet_runs_on() -> None:
    told = {**COMPLETED, "name": name_of(TAG, 4)}
    assert to_progress(told, NOW).phase is Phase.RUNNING
    for name in ("anything", None, "9" * 5000, "nightmail ٤"):
        assert to_progress({**told, "name": name}, NOW).ending is Ending.COMPLETED


@pytest.mark.parametrize("state", [None, {}, {"num_requests": 0}, {"num_pending": 0}])
def test_a_batch_whose_counts_are_not_told_yet_runs(state: object) -> None:
    told = {**COMPLETED, "state": state, "expire_time": None}
    assert to_progress(told, NOW).phase is Phase.RUNNING


def test_a_batch_that_was_cancelled_runs_until_nothing_is_pending() -> None:
    told = a_batch(Told(ending=Ending.CANCELLED, completed=1, left=2))
    assert to_progress(told, NOW).ending is Ending.CANCELLED
    pending = {**told, "state": {**told["state"], "num_pending": 1}}
    assert to_progress(pending, NOW).phase is Phase.RUNNING


def test_a_file_that_xai_refuses_is_a_failed_batch_with_its_words() -> None:
    said = "JSONL file validation failed: Model x is not supported. xai-abcdefgh1234"
    empty = a_batch(Told(ending=Ending.CANCELLED))
    progress = to_progress({**empty, "cancel_by_xai_message": said}, NOW)
    assert (progress.ending, progress.output_ids) == (Ending.FAILED, [])
    (error,) = progress.errors
    assert error.message.startswith("JSONL file validation failed: Model x is not supported.")
    assert "xai-" not in error.message


def test_a_batch_runs_on_at_its_expiry_and_a_mere_date_is_over_with_its_day() -> None:
    told = a_batch(Told(completed=1, left=2))
    for expiry in ("2026-11-21", "2026-11-22T00:00:00Z", "2026-11-22T02:00:00+02:00"):
        expiring = {**told, "expire_time": expiry}
        midnight = 1795305600.0  # 2026-11-22T00:00:00Z
        assert not to_progress(expiring, midnight - 1).is_overdue
        progress = to_progress(expiring, midnight)
        assert (progress.phase, progress.is_overdue) == (Phase.RUNNING, True)


def test_a_batch_that_was_stopped_after_its_expiry_has_expired() -> None:
    progress = to_progress(a_batch(Told(ending=Ending.EXPIRED, completed=1, left=2)), NOW)
    assert (progress.ending, progress.completed, progress.failed) == (Ending.EXPIRED, 1, 2)
    assert (progress.output_ids, progress.is_overdue) == (["batch-1"], False)


def test_what_is_pending_over_its_time_is_stopped_before_it_goes_elsewhere(
    simulator: SimulatorClient,
) -> None:
    world = World(simulator, provider="xai")
    simulator.behave({"kind": "expired_batch"})
    world.create(requests(3))
    for state in ("PlanBatch", "SubmitShard"):
        world.step(state, None if state == "PlanBatch" else 1)
    simulator.until_final(world.shard.provider_batch_id or "")
    assert world.step("PollShard", 1)["next"] == Next.POLL
    assert len(simulator.calls(path=f"/batches/{world.shard.provider_batch_id}:cancel")) == 1
    world.run()
    assert len(world.check_promises(requests(3)).output) == 3


def test_nothing_is_read_of_what_expired_or_was_cancelled_before_the_first_line() -> None:
    for ending in (Ending.EXPIRED, Ending.CANCELLED):
        assert to_progress(a_batch(Told(ending=ending, left=3)), NOW).output_ids == []


def test_a_batch_is_found_by_its_name_whatever_xai_tells_of_its_time() -> None:
    ours = a_batch(Told(identity="ours", left=3))
    other = a_batch(Told(identity="other", left=3, tag=Tag(TAG.batch_id, TAG.shard, 9)))
    for moment in ("2026-11-21", "2026-11-21T02:00:00.123Z", None, "soon"):
        page = {"batches": [other, {**ours, "create_time": moment}], "pagination_token": ""}
        provider, _ = XAI.scripted(httpx.Response(200, json=page))
        assert provider.find(intent()) == ["ours"]


def test_a_mere_date_is_taken_for_the_end_of_its_day() -> None:
    assert made_at({"create_time": "2026-11-21"}) == 1795305600
    assert made_at({"create_time": "2026-11-21T00:00:00Z"}) == 1795219200
    assert made_at({}) is None


@pytest.mark.parametrize(
    ("code", "status"),
    [(3, 400), (16, 401), (8, 429), (14, 503), (13, 500), (413, 413), (99, 500), ("odd", 500)],
)
def test_a_code_is_a_status(code: object, status: int) -> None:
    entry = failed(a_line_id(1), 0, "Why.")
    entry["batch_result"]["error"]["code"] = code
    (result,) = XAI.read(XAI.serving(as_jsonl([entry])))
    assert result.outcome
    assert result.outcome.kind is Kind.REFUSED
    assert result.outcome.response
    assert result.outcome.response["status_code"] == status
    assert "Why." in result.outcome.response["body"]["error"]["message"]


@pytest.mark.parametrize(("code", "ending"), [(1, Ending.CANCELLED), (4, Ending.EXPIRED)])
def test_what_was_not_run_is_owed(code: int, ending: Ending) -> None:
    (result,) = XAI.read(XAI.serving(as_jsonl([failed(a_line_id(1), code, "Not run.")])))
    assert result.outcome
    assert result.outcome.error == OWED[ending]


def test_an_answer_that_is_none_is_a_failure() -> None:
    entry = {"batch_request_id": a_line_id(1), "batch_result": {"response": {}}}
    (result,) = XAI.read(XAI.serving(as_jsonl([entry])))
    assert result.outcome
    assert result.outcome.kind is Kind.FAILED


def test_results_are_read_on_from_the_page_where_they_were_left() -> None:
    lines = as_jsonl([XAI.answered(a_line_id(n), XAI.direct.plain) for n in range(1, 6)])
    first, *others = pages_of(lines)
    provider, script = XAI.scripted(first, *others, *others)
    whole = XAI.read(provider)
    places = [Cursor(0, 1), Cursor(0, 2), Cursor(0, 1, "2"), Cursor(0, 2, "2"), Cursor(0, 1, "4")]
    assert [result.behind for result in whole] == places
    assert numbers_of(XAI.read(provider, places[2])) == [4, 5]
    tokens = [request.url.params.get("pagination_token") for request in script.requests]
    assert tokens == [None, "2", "4", "2", "4"]
    assert {request.url.path for request in script.requests} == {"/v1/batches/output-0/results"}
    seconds = [request.extensions["timeout"]["read"] for request in script.requests]
    assert seconds == [LOOK.read] * len(seconds)


def test_a_token_that_opens_nothing_any_more_is_no_end() -> None:
    lines = as_jsonl([XAI.answered(a_line_id(n), XAI.direct.plain) for n in range(1, 6)])
    provider, script = XAI.scripted(httpx.Response(400), *pages_of(lines))
    assert numbers_of(XAI.read(provider, Cursor(0, 1, "2")))[-3:] == [3, 4, 5]
    tokens = [request.url.params.get("pagination_token") for request in script.requests]
    assert tokens == ["2", None, "2", "4"]


def test_results_that_are_refused_are_no_end() -> None:
    for begun in (Cursor(), Cursor(0, 1, "2")):
        provider, _ = XAI.scripted(httpx.Response(401), httpx.Response(401))
        with pytest.raises(ProviderRejected):
            XAI.read(provider, begun)


def test_a_token_that_comes_again_ends_the_reading() -> None:
    page = httpx.Response(200, json={"results": [], "pagination_token": "same"})
    provider, script = XAI.scripted(page, page)
    assert XAI.read(provider) == []
    assert len(script.requests) == 2


def test_only_chats_go_natively() -> None:
    assert open_format(deployment("grok", "xai")).endpoints == {CHAT}


def test_a_file_is_uploaded_without_a_purpose() -> None:
    provider, script = XAI.scripted(*XAI.preparing())
    provider.prepare(XAI.shard_input(), TAG)
    assert b'name="file"' in script.requests[0].content
    assert b'name="purpose"' not in script.requests[0].content


def test_results_of_many_pages_are_read_at_the_simulator(simulator: SimulatorClient) -> None:
    base = simulator.base_of("xai")
    provider = open_provider(XAI.deployment(api_base=base), KEY)
    content = XAI.shard_input(250)
    identity = provider.submit(provider.prepare(content, TAG), content, CHAT, TAG)
    simulator.until_final(identity)
    progress = provider.poll(identity)
    found = list(provider.results(progress.output_ids, PUBLIC_MODEL, Cursor(), number_of))
    assert sorted(number or 0 for number in numbers_of(found)) == list(range(1, 251))
    assert len(simulator.calls(path=f"/batches/{identity}/results")) == 3


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x"}, {"name": "x", "input_file_id": "file-none"}, {"name": "x", "endpoint": 1}],
)
def test_the_simulator_refuses_what_is_no_batch_in_xais_words(
    simulator: SimulatorClient, body: dict[str, object]
) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    url = f"{simulator.base_of('xai')}/batches"
    answer = httpx.post(url, json=body, headers=headers, trust_env=False)
    assert answer.status_code == 400
    assert answer.json().keys() == {"code", "error"}
