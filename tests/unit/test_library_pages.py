"""The examples of LiteLLM's pages on batching, written anew: straight from this process to the providers."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import nightmail
import pytest
from nightmail import (
    Batch,
    ModelResponse,
    batch_completion,
    batch_completion_create,
    batch_completion_list,
    batch_completion_models,
    batch_completion_models_all_responses,
    batch_completion_results,
    batch_completion_retrieve,
    batch_completion_wait,
    completion,
)

from local.simulator.client import SimulatorClient
from tests.api_page import files_and_batches

GREETING = [{"role": "user", "content": "Hello, how are things?"}]
QUESTIONS = [
    [{"role": "user", "content": "A good evening to you"}],
    [{"role": "user", "content": "Which day is it?"}],
]
MODELS = ["gpt-3.5-turbo", "claude-instant-1.2", "command-nightly"]


def chat_lines(count: int) -> list[dict[str, Any]]:
    return [
        {
            "custom_id": f"task-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": f"Task {number}"}],
                "max_tokens": 100,
            },
        }
        for number in range(count)
    ]


def lines_for(model: str, count: int) -> list[dict[str, Any]]:
    lines = chat_lines(count)
    for line in lines:
        line["body"]["model"] = model
    return lines


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    with path.open("w") as file:
        for entry in lines:
            file.write(json.dumps(entry) + "\n")
    return path


@pytest.mark.of("anthropic")
def test_many_prompts_to_one_model(provider_keys: SimulatorClient) -> None:
    responses = batch_completion(model="claude-2", messages=QUESTIONS)

    assert isinstance(responses, list)
    for question, response in zip(QUESTIONS, responses, strict=True):
        assert isinstance(response, ModelResponse)
        assert response.object == "chat.completion"
        assert response.model == "claude-2"
        assert question[0]["content"] in (response.choices[0].message.content or "")
        assert response["choices"][0]["message"]["role"] == "assistant"
        assert response.usage.total_tokens > 0
    assert len(provider_keys.calls(provider="anthropic", path="/messages")) == 2


@pytest.mark.of("anthropic", "cohere")
def test_one_prompt_to_many_models_and_the_first_answer(provider_keys: SimulatorClient) -> None:
    provider_keys.behave(
        {"kind": "hold", "match": {"model": "gpt-3.5-turbo"}},
        {"kind": "hold", "match": {"model": "claude-instant-1.2"}},
    )

    response = batch_completion_models(models=MODELS, messages=GREETING)

    assert response.model == "command-nightly"
    assert response.choices[0].message.content
    assert response.usage.total_tokens > 0
    provider_keys.until_calls("disconnected", 2)


@pytest.mark.of("anthropic", "cohere")
def test_one_prompt_to_many_models_and_all_answers(provider_keys: SimulatorClient) -> None:
    responses = batch_completion_models_all_responses(models=MODELS, messages=GREETING)

    assert [getattr(response, "model", None) for response in responses] == MODELS
    assert all(isinstance(response, ModelResponse) for response in responses)


def test_a_batch_of_a_file_is_created(provider_keys: SimulatorClient, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "batch_requests.jsonl", chat_lines(2))

    batch = batch_completion_create(
        input_file_path=path, endpoint="/v1/chat/completions", completion_window="24h"
    )

    assert batch.id.startswith("batch_")
    assert provider_keys.until_final(batch.id)["status"] == "completed"


@pytest.mark.of("anthropic")
def test_a_batch_of_anthropics_is_created(provider_keys: SimulatorClient) -> None:
    texts = ["Analyze this text...", "Summarize this...", "Translate this..."]
    prompts = [[{"role": "user", "content": text}] for text in texts]
    model = "anthropic/claude-3.5-sonnet"

    batch = batch_completion_create(
        requests=[{"body": {"model": model, "messages": prompt}} for prompt in prompts]
    )

    assert batch.id.startswith("msgbatch_")
    assert batch.status == "in_progress"
    assert batch_completion_wait(batch.id).status == "completed"
    for text, outcome in zip(texts, batch_completion_results(batch.id), strict=True):
        assert outcome.response
        assert text in outcome.response.body.choices[0].message.content
    answers = batch_completion(model=model, messages=prompts)  # as the page has it: at once
    assert [isinstance(answer, ModelResponse) for answer in answers] == [True] * 3


def test_the_complete_workflow(
    provider_keys: SimulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(Path("requests.jsonl"), chat_lines(100))

    batch = batch_completion_create(
        input_file_path="requests.jsonl",
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"project": "my-project"},
    )
    provider_keys.until_final(batch.id)
    batch = batch_completion_retrieve(batch_id=batch.id, output_file_path="results.jsonl")

    assert batch.status == "completed"
    assert batch.metadata == {"project": "my-project"}
    with Path("results.jsonl").open() as file:
        results = [json.loads(line) for line in file]
    assert [result["custom_id"] for result in results] == [f"task-{n}" for n in range(100)]
    for number, result in enumerate(results):
        answer = result["response"]["body"]["choices"][0]["message"]["content"]
        assert f"Task {number}" in answer
    assert {path.name for path in tmp_path.iterdir()} == {"requests.jsonl", "results.jsonl"}


def test_a_mix_of_request_types_is_for_a_gateway(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    embedding = {
        "custom_id": "embed-1",
        "method": "POST",
        "url": "/v1/embeddings",
        "body": {"model": "text-embedding-3-small", "input": "Text to embed"},
    }
    path = write_lines(tmp_path / "mixed_batch.jsonl", [*chat_lines(1), embedding])

    with pytest.raises(nightmail.BadRequestError, match=r"Line 2 .*NIGHTMAIL_BASE_URL"):
        batch_completion_create(input_file_path=path)

    assert provider_keys.calls() == []


def test_batches_are_listed(provider_keys: SimulatorClient) -> None:
    made = [batch_completion_create(requests=chat_lines(1)).id for _ in range(3)]

    batches = batch_completion_list(limit=10)

    assert [batch.id for batch in batches.data] == made[::-1]
    for batch in batches.data:
        assert batch.status
        assert batch.created_at > 0
        assert batch.request_counts.get("total", 0) >= 0


def test_errors_are_told_from_answers_by_the_key(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    lines = chat_lines(3)
    lines[1]["body"]["messages"][0]["content"] = "Task 1 [[fail:400]]"
    batch = batch_completion_create(requests=lines)
    provider_keys.until_final(batch.id)

    batch_completion_retrieve(batch_id=batch.id, output_file_path=tmp_path / "results.jsonl")

    told = []
    with (tmp_path / "results.jsonl").open() as file:
        for line in file:
            result = json.loads(line)
            told.append((result["custom_id"], "error" in result))
            assert "error" in result or result["response"]["body"]["choices"]
    assert told == [("task-0", False), ("task-1", True), ("task-2", False)]


def test_the_errors_of_a_batch_that_failed_are_told(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "batch.jsonl", chat_lines(2))
    path.write_text(path.read_text() + "{this is no request\n")
    made = batch_completion_create(input_file_path=path)
    provider_keys.until_final(made.id)

    batch = batch_completion_retrieve(batch_id=made.id)

    assert batch.status == "failed"
    assert batch.errors
    assert [error.line for error in batch.errors.data] == [3]


@pytest.mark.of("anthropic")
@pytest.mark.parametrize("model", ["gpt-4o-mini", "anthropic/claude-3.5-sonnet"])
def test_progress_is_monitored(provider_keys: SimulatorClient, model: str) -> None:
    provider_keys.behave({"kind": "stuck_batch", "after_lines": 1})
    seen: list[tuple[int, str]] = []

    def monitor_batch(batch_id: str) -> None:
        while True:
            batch = batch_completion_retrieve(batch_id=batch_id)
            counts = batch.request_counts
            total, completed, failed = (
                counts.get(name, 0) for name in ("total", "completed", "failed")
            )
            seen.append(((completed + failed) * 100 // max(total, 1), batch.status))
            if batch.status in ["completed", "failed", "expired", "cancelled"]:
                return
            provider_keys.until_waiting()
            provider_keys.release()
            provider_keys.until_final(batch_id)

    monitor_batch(batch_completion_create(requests=lines_for(model, 4)).id)

    assert seen[0][1] in {"validating", "in_progress"}
    assert seen[-1] == (100, "completed")


@pytest.mark.of("anthropic")
@pytest.mark.parametrize("model", ["gpt-4o-mini", "anthropic/claude-3.5-sonnet"])
def test_costs_are_told(provider_keys: SimulatorClient, model: str) -> None:
    """Where the page reckons with prices of its own making, the batch has the true ones."""
    made = batch_completion_create(requests=lines_for(model, 4))
    provider_keys.until_final(made.id)

    batch = batch_completion_retrieve(batch_id=made.id)

    assert batch.status == "completed"
    assert batch.request_counts["completed"] * 0.5 == 2
    assert batch.cost
    assert batch.synchronous_cost
    assert batch.saved
    told = f"{batch.saved / batch.synchronous_cost * 100:.0f}%"
    assert told == "50%"
    assert batch.cost + batch.saved == pytest.approx(batch.synchronous_cost)
    assert completion(model=model, messages=GREETING).usage.completion_tokens > 0


def test_files_and_batches_by_their_awaited_functions(
    provider_keys: SimulatorClient, tmp_path: Path
) -> None:
    asyncio.run(files_and_batches(write_lines(tmp_path / "batch.jsonl", chat_lines(2))))


def test_every_name_of_the_pages_is_there_to_import() -> None:
    pages = ["completion", "batch_completion", "batch_completion_models"]
    pages += ["batch_completion_models_all_responses", "batch_completion_create"]
    pages += ["batch_completion_retrieve", "batch_completion_list"]

    for name in pages:
        assert callable(getattr(nightmail, name))
        assert callable(getattr(nightmail, f"a{name}"))
    assert isinstance(Batch(id="b"), dict)
    assert nightmail.os is os
