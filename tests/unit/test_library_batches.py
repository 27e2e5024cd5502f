"""The functions for files and batches, straight to a provider's own API."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nightmail
import pytest
from nightmail import (
    batch_completion_create,
    batch_completion_results,
    batch_completion_retrieve,
    batch_completion_wait,
    cancel_batch,
    create_batch,
    create_file,
    file_content,
    file_delete,
    file_list,
    file_retrieve,
    list_batches,
    retrieve_batch,
    retry_batch,
)

from local.simulator.client import SimulatorClient

LINE = (
    b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}\n'
)


def requests(count: int) -> list[dict[str, Any]]:
    return [
        {"body": {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Number {n}"}]}}
        for n in range(1, count + 1)
    ]


def ended(simulator: SimulatorClient, batch_id: str) -> str:
    simulator.until_final(batch_id)
    return batch_id


# ---- files


def test_a_file_is_created_listed_read_and_deleted(provider_keys: SimulatorClient) -> None:
    made = create_file(file=("mine.jsonl", LINE), purpose="batch", custom_llm_provider="openai")

    assert (made.filename, made.bytes, made.purpose) == ("mine.jsonl", len(LINE), "batch")
    assert file_retrieve(made.id, custom_llm_provider="openai").id == made.id
    assert [one.id for one in file_list(purpose="batch").data] == [made.id]
    content = file_content(made.id)
    assert content.read() == content.content == content.text.encode() == LINE
    assert file_delete(made.id).deleted
    with pytest.raises(nightmail.NotFoundError):
        file_retrieve(made.id)


def test_a_file_is_given_as_a_path_as_bytes_or_opened(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(LINE)
    with path.open("rb") as opened:
        made = [
            create_file(path),
            create_file(str(path)),
            create_file(opened),
            create_file(LINE),
            create_file(io.BytesIO(LINE)),
            create_file(("named.jsonl", io.BytesIO(LINE), "application/jsonl")),
        ]

    assert [file_content(one.id).content for one in made] == [LINE] * 6
    names = [one.filename for one in made]
    assert names == ["lines.jsonl"] * 3 + ["upload.jsonl"] * 2 + ["named.jsonl"]


def test_what_is_no_file_is_refused(provider_keys: SimulatorClient, tmp_path: Path) -> None:
    not_a_file: Any = 7
    with pytest.raises(nightmail.BadRequestError, match="file"):
        create_file(not_a_file)
    with pytest.raises(FileNotFoundError):
        create_file(tmp_path / "missing.jsonl")


# ---- batches


def test_a_batch_is_created_listed_and_cancelled(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "stuck_batch"})
    file = create_file(("lines.jsonl", LINE))
    batch = create_batch(
        completion_window="24h",
        endpoint="/v1/embeddings",
        input_file_id=file.id,
        custom_llm_provider="openai",
        metadata={"a": "b"},
    )

    assert batch.metadata == {"a": "b"}
    assert [one.id for one in list_batches(limit=1).data] == [batch.id]
    assert cancel_batch(batch.id).status in {"cancelling", "cancelled"}
    assert provider_keys.until_final(batch.id)["status"] == "cancelled"
    assert retrieve_batch(batch.id).status == "cancelled"


def test_requests_are_read_one_by_one_and_get_the_frame_that_they_lack(
    provider_keys: SimulatorClient,
) -> None:
    def one_by_one() -> Iterator[dict[str, Any]]:
        """A function of the library may be called while requests are read."""
        for request in requests(3):
            assert file_list().data == []
            yield request

    batch = batch_completion_create(requests=one_by_one())

    lines = file_content(batch.input_file_id or "").text.splitlines()
    assert [json.loads(line) for line in lines] == [
        {
            "custom_id": f"request-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": requests(3)[n - 1]["body"],
        }
        for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("bad", ["text", {"messages": []}, {"body": {"x": object()}}])
def test_what_is_no_request_is_refused_by_its_place(
    provider_keys: SimulatorClient, bad: Any
) -> None:
    with pytest.raises(nightmail.BadRequestError, match=r"requests\[1\]"):
        batch_completion_create(requests=[*requests(1), bad])

    assert provider_keys.calls(path="/files") == []


def test_either_a_path_or_requests_are_given(provider_keys: SimulatorClient) -> None:
    with pytest.raises(nightmail.BadRequestError, match="input_file_path"):
        batch_completion_create()
    with pytest.raises(nightmail.BadRequestError, match="input_file_path"):
        batch_completion_create("a.jsonl", requests=requests(1))


def test_results_are_in_the_order_of_the_input(provider_keys: SimulatorClient) -> None:
    """The provider's are in another, and what failed lies in another file."""
    asked = requests(30)
    for place in (3, 17):
        asked[place]["body"]["messages"][0]["content"] = "[[fail:400]]"
    batch_id = ended(provider_keys, batch_completion_create(requests=asked).id)

    outcomes = list(batch_completion_results(batch_id))

    as_it_came = file_content(retrieve_batch(batch_id).output_file_id or "").text.splitlines()
    ids = [json.loads(line)["custom_id"] for line in as_it_came]
    assert ids != sorted(ids, key=lambda custom_id: int(custom_id[8:]))
    assert [outcome.custom_id for outcome in outcomes] == [f"request-{n}" for n in range(1, 31)]
    assert [place for place, outcome in enumerate(outcomes) if outcome.error] == [3, 17]
    first = outcomes[0].response
    assert first
    assert "Number 1" in first.body.choices[0].message.content


def test_results_are_read_although_the_input_is_gone(provider_keys: SimulatorClient) -> None:
    batch = batch_completion_create(requests=requests(3))
    ended(provider_keys, batch.id)
    file_delete(batch.input_file_id or "")

    outcomes = list(batch_completion_results(batch.id))

    assert {outcome.custom_id for outcome in outcomes} == {"request-1", "request-2", "request-3"}


@pytest.mark.parametrize("kind", ["duplicated", "garbage", "missing", "truncated"])
def test_results_that_are_spoiled_are_read_as_far_as_they_go(
    provider_keys: SimulatorClient, kind: str
) -> None:
    provider_keys.behave({"kind": kind})
    batch = batch_completion_create(requests=requests(6))
    ended(provider_keys, batch.id)

    ids = [outcome.custom_id for outcome in batch_completion_results(batch.id)]

    assert ids == sorted(set(ids))
    assert 3 <= len(ids) <= 6


def test_a_batch_without_its_files_yet_has_no_results(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    provider_keys.behave({"kind": "late_output", "polls": 2})
    batch_id = ended(provider_keys, batch_completion_create(requests=requests(3)).id)

    with pytest.raises(nightmail.APIError, match="not there yet"):
        batch_completion_retrieve(batch_id, output_file_path=tmp_path / "results.jsonl")
    assert list(tmp_path.iterdir()) == []
    assert retrieve_batch(batch_id).status == "completed"
    assert len(list(batch_completion_results(batch_id))) == 3


def test_a_batch_that_is_not_final_has_no_results(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    provider_keys.behave({"kind": "stuck_batch"})
    batch = batch_completion_create(requests=requests(3))

    batch_completion_retrieve(batch.id, output_file_path=tmp_path / "results.jsonl")

    assert list(tmp_path.iterdir()) == []
    with pytest.raises(nightmail.BadRequestError, match="batch_completion_wait"):
        next(batch_completion_results(batch.id))


def test_waiting_returns_the_final_batch(provider_keys: SimulatorClient) -> None:
    provider_keys.behave({"kind": "stuck_batch"})
    batch = batch_completion_create(requests=requests(3))
    looks: list[str] = []

    def on_progress(batch: nightmail.Batch) -> None:
        looks.append(batch.status)
        if len(looks) == 1:
            provider_keys.until_waiting()
            provider_keys.release()
            provider_keys.until_final(batch.id)

    done = batch_completion_wait(batch.id, on_progress=on_progress)

    assert done.status == "completed"
    assert done.request_counts.completed == 3
    assert looks[-1] == "completed"


def test_everything_can_be_awaited(provider_keys: SimulatorClient, tmp_path: Path) -> None:
    async def work() -> list[str]:
        made = await nightmail.abatch_completion_create(requests=requests(3))
        batch = await nightmail.abatch_completion_wait(made.id)
        await nightmail.abatch_completion_retrieve(batch.id, tmp_path / "results.jsonl")
        assert (await nightmail.abatch_completion_list(limit=1)).data[0].id == batch.id
        assert (await nightmail.afile_content(batch.input_file_id or "")).text
        return [one.custom_id async for one in nightmail.abatch_completion_results(batch.id)]

    ids = asyncio.run(work())

    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert (
        ids
        == [json.loads(line)["custom_id"] for line in lines]
        == [
            "request-1",
            "request-2",
            "request-3",
        ]
    )


def test_a_batch_whose_answer_was_lost_is_not_made_twice(provider_keys: SimulatorClient) -> None:
    provider_keys.behave(
        {"kind": "drop", "when": "after", "match": {"method": "POST", "path": "/batches"}}
    )

    with pytest.raises(nightmail.APIConnectionError):
        batch_completion_create(requests=requests(1))

    assert len(provider_keys.batches()) == 1


def test_a_batch_that_is_refused_leaves_no_file_behind(provider_keys: SimulatorClient) -> None:
    with pytest.raises(nightmail.BadRequestError):
        batch_completion_create(requests=requests(1), endpoint="/v1/nothing")

    assert file_list().data == []


# ---- whose


def test_a_provider_without_such_an_api_is_refused_with_the_way_out(
    provider_keys: SimulatorClient,
) -> None:
    for ask in (create_file, file_retrieve, retrieve_batch):
        with pytest.raises(nightmail.BadRequestError, match="NIGHTMAIL_BASE_URL"):
            ask("x", custom_llm_provider="cohere")
    with pytest.raises(nightmail.BadRequestError, match="NIGHTMAIL_BASE_URL"):
        batch_completion_create(requests=[{"body": {"model": "command-r"}}])
    with pytest.raises(nightmail.BadRequestError, match="api_base"):
        list_batches(custom_llm_provider="hosted_vllm")


def test_what_only_a_gateway_does_is_refused_before_anything_is_sent(
    provider_keys: SimulatorClient,
) -> None:
    """A provider would run, and bill, what was to be a dry run."""
    for ask in (
        lambda: batch_completion_create(requests=requests(1), dry_run=True),
        lambda: create_batch(input_file_id="file-1", nightmail={"dry_run": True}),
        lambda: create_batch(input_file_id="file-1", on_deadline="finish_direct"),
        lambda: retry_batch("batch_1"),
        lambda: batch_completion_results("batch_1", as_completed=True),
        lambda: batch_completion_results("batch_1", merged=True),
    ):
        with pytest.raises(nightmail.BadRequestError, match="NIGHTMAIL_BASE_URL"):
            ask()

    assert provider_keys.calls() == []


# ---- mixed files


def test_a_file_that_a_providers_batch_cannot_take_is_refused_before_anything_is_sent(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    two_endpoints: list[dict[str, Any]] = [
        *requests(1),
        {"url": "/v1/embeddings", "body": {"model": "gpt-4o", "input": "x"}},
    ]
    two_models = [*requests(1), {"body": {"model": "gpt-4o-mini", "messages": []}}]
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(b"\n" + LINE + LINE.replace(b'"m"', b'"n"'))

    cases: list[tuple[Callable[[], object], str, str]] = [
        (lambda: batch_completion_create(requests=two_endpoints), "invalid_url", "Line 2"),
        (lambda: batch_completion_create(requests=two_models), "mismatched_model", "4o-mini"),
        (lambda: batch_completion_create(path), "invalid_url", "Line 2"),
        (lambda: batch_completion_create(path, "/v1/embeddings"), "mismatched_model", "Line 3"),
    ]
    for ask, code, said in cases:
        with pytest.raises(nightmail.BadRequestError, match=f"{said}.*gateway") as caught:
            ask()
        assert caught.value.code == code

    assert provider_keys.calls() == []


def test_what_is_wrong_otherwise_the_provider_says(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_bytes(LINE + b"{no json\n")

    batch = batch_completion_create(path, "/v1/embeddings")

    assert provider_keys.until_final(batch.id)["status"] == "failed"


# ---- cost


@pytest.fixture
def priced(provider_keys: SimulatorClient) -> nightmail.Batch:
    asked = requests(4)
    asked[0]["body"]["messages"][0]["content"] = "[[cached:1000]]"
    asked[1]["body"]["messages"][0]["content"] = "[[fail:400]]"
    return batch_completion_wait(batch_completion_create(requests=asked).id)


def test_a_batch_tells_what_it_cost_and_what_it_saved(priced: nightmail.Batch) -> None:
    """gpt-4o: 2.50 $ for a million tokens of input, 1.25 $ cached, 10 $ of output; a batch is half of that
    but for what was cached.
    """
    assert priced.usage
    cached = 1000
    fresh = priced.usage.input_tokens - cached
    output = priced.usage.output_tokens

    assert priced.cost == pytest.approx((1.25 * fresh + 1.25 * cached + 5 * output) / 1e6)
    assert priced.synchronous_cost == pytest.approx(
        (2.5 * fresh + 1.25 * cached + 10 * output) / 1e6
    )
    assert priced.cost
    assert priced.synchronous_cost
    assert priced.saved == pytest.approx(priced.synchronous_cost - priced.cost)
    assert priced.nightmail
    assert priced.nightmail.usage
    (bill,) = priced.nightmail.usage
    assert (bill.provider, bill.lane, bill.lines, bill.cached_tokens) == (
        "openai",
        "native",
        3,
        cached,
    )


def test_prices_by_the_size_of_a_request_take_the_results_to_be_read(
    provider_keys: SimulatorClient,
) -> None:
    asked = requests(3)
    for request in asked:
        request["body"]["model"] = "gpt-5.4"
    batch = batch_completion_wait(batch_completion_create(requests=asked).id)

    assert retrieve_batch(batch.id).cost is None
    costs = [one.nightmail.cost for one in batch_completion_results(batch.id) if one.nightmail]
    assert batch.cost
    assert batch.cost == pytest.approx(sum(costs))


def test_outcomes_tell_what_each_has_cost(priced: nightmail.Batch) -> None:
    outcomes = list(batch_completion_results(priced.id))

    costs = [one.nightmail.cost for one in outcomes if one.nightmail]
    assert len(costs) == 3
    assert sum(costs) == pytest.approx(priced.cost)
    assert outcomes[1].nightmail is None


def test_a_batch_that_runs_or_never_ran_has_no_cost_or_none_to_pay(
    provider_keys: SimulatorClient,
) -> None:
    broken = create_file(LINE + b"{no json\n")
    failed = create_batch(endpoint="/v1/embeddings", input_file_id=broken.id)
    assert batch_completion_wait(failed.id).cost == 0

    provider_keys.behave({"kind": "stuck_batch"})
    running = batch_completion_create(requests=requests(1))
    assert (running.cost, running.saved, running.estimate) == (None, None, None)


def test_the_cost_is_not_known_where_a_price_is_not(provider_keys: SimulatorClient) -> None:
    asked = requests(2)
    for request in asked:
        request["body"]["model"] = "ft:nobody-knows"
    batch = batch_completion_wait(batch_completion_create(requests=asked).id)

    assert (batch.cost, batch.synchronous_cost, batch.saved) == (None, None, None)
    assert batch.nightmail
    assert batch.nightmail.unpriced_models == [batch.model]
    assert batch_completion_retrieve(batch.id).cost is None


def test_a_server_of_the_call_has_prices_of_its_own(provider_keys: SimulatorClient) -> None:
    there: dict[str, Any] = {"api_base": provider_keys.base_url, "api_key": "sk-there-0123"}
    batch = batch_completion_create(requests=requests(2), **there)

    done = batch_completion_wait(batch.id, **there)

    assert done.status == "completed"
    assert done.cost is None


def test_a_key_of_the_environment_does_not_go_to_a_server_of_the_call(
    provider_keys: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(nightmail.AuthenticationError):
        list_batches(api_base=provider_keys.base_url)
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_API_BASE")
    with pytest.raises(nightmail.AuthenticationError, match="OPENAI_API_KEY"):
        list_batches()

    assert [call["key"] for call in provider_keys.calls(path="/batches")] == [""]


def test_a_gateway_and_a_server_are_not_named_at_once() -> None:
    with pytest.raises(nightmail.BadRequestError, match="api_base"):
        list_batches(base_url="http://127.0.0.1:1/v1", api_base="http://127.0.0.1:2/v1")
