"""The Python library through a gateway: LiteLLM's examples, and batches that are followed to their end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import boto3
import nightmail
import pytest
import yaml
from nightmail import (
    Batch,
    ModelResponse,
    NightmailError,
    batch_completion,
    batch_completion_create,
    batch_completion_list,
    batch_completion_models,
    batch_completion_models_all_responses,
    batch_completion_results,
    batch_completion_retrieve,
    batch_completion_wait,
    completion,
    embedding,
    wiring,
)

from local.simulator.client import SimulatorClient
from tests.api_page import files_and_batches
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life
from tests.unit.conftest import ENVIRONMENT

MODELS = ["gpt-3.5-turbo", "claude-instant-1.2", "command-nightly"]
PROVIDERS = {
    "gpt-3.5-turbo": "openai",
    "gpt-4o": "openai",
    "gpt-4o-mini": "openai",
    "text-embedding-3-small": "openai",
    "claude-2": "anthropic",
    "claude-instant-1.2": "anthropic",
    "command-nightly": "cohere",
}
PRICES = {
    "input_cost_per_token": 2e-6,
    "output_cost_per_token": 4e-6,
    "input_cost_per_token_batches": 1e-6,
    "output_cost_per_token_batches": 2e-6,
}
GREETING = [{"role": "user", "content": "Hello, how are things?"}]
QUESTIONS = [[{"role": "user", "content": f"What is {word}?"}] for word in ("AI", "ML", "DL")]


@pytest.fixture(autouse=True)
def _environment(
    server: GatewayServer, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway with the models of the pages; its address and key are all that the environment has."""
    config = {
        "general_settings": {"master_key": MASTER_KEY},
        "model_list": [
            *(entry(name, name, simulator.base_of(owner)) for name, owner in PROVIDERS.items()),
            entry("gpt-4o-batch", "gpt-4o", simulator.base_url) | {"batch_enabled": True},
        ],
    }
    boto3.client("s3").put_object(
        Bucket=ENVIRONMENT["BUCKET_NAME"], Key="config/config.yaml", Body=yaml.safe_dump(config)
    )
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "COHERE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NIGHTMAIL_BASE_URL", f"{server.url}/v1")
    monkeypatch.setenv("NIGHTMAIL_API_KEY", MASTER_KEY)


def entry(name: str, model: str, api_base: str) -> dict[str, Any]:
    params = {"model": model, "api_base": api_base, "api_key": "os.environ/SIMULATOR_KEY"}
    return {"model_name": name, "litellm_params": {**params, **PRICES}}


def chat_lines(count: int) -> list[dict[str, Any]]:
    return [
        {
            "custom_id": f"task-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": f"Task {number}"}],
            },
        }
        for number in range(count)
    ]


def said(answer: ModelResponse) -> str:
    return answer.choices[0].message.content or ""


def answers_of(found: object) -> list[ModelResponse]:
    assert isinstance(found, list)
    assert all(isinstance(answer, ModelResponse) for answer in found)
    return found


# ---- pages


@pytest.mark.of("anthropic")
def test_many_prompts_to_one_model() -> None:
    answers = answers_of(batch_completion(model="claude-2", messages=QUESTIONS))

    for question, answer in zip(QUESTIONS, answers, strict=True):
        assert answer.model == "claude-2"
        assert question[0]["content"] in answer["choices"][0]["message"]["content"]


@pytest.mark.of("anthropic", "cohere")
def test_the_first_answer_of_many_models(simulator: SimulatorClient) -> None:
    simulator.behave(
        *({"kind": "hold", "match": {"model": model}} for model in (MODELS[0], MODELS[1]))
    )

    answer = batch_completion_models(models=MODELS, messages=GREETING)

    assert answer.model == "command-nightly"
    assert [one["outcome"] for one in answer.nightmail.race] == ["cancelled", "cancelled", "won"]


@pytest.mark.of("anthropic", "cohere")
def test_all_answers_of_many_models(simulator: SimulatorClient) -> None:
    simulator.behave(
        {"kind": "status", "status": 400, "match": {"provider": "anthropic"}, "message": "No."}
    )

    first, failed, last = batch_completion_models_all_responses(models=MODELS, messages=GREETING)

    assert isinstance(first, ModelResponse)
    assert isinstance(last, ModelResponse)
    assert isinstance(failed, nightmail.BadRequestError)
    assert (failed.model, failed.llm_provider, failed.status_code) == (MODELS[1], "anthropic", 400)


def test_a_model_of_batches_answers_a_batch(life: Life, tmp_path: Path) -> None:
    batch = batch_completion(model="gpt-4o-batch", messages=QUESTIONS)

    assert isinstance(batch, Batch)
    assert batch.id.startswith("batch_")
    assert batch.status == "validating"
    life.run("admin", batch.id)
    outcomes = list(batch_completion_results(batch.id))
    assert [outcome.custom_id for outcome in outcomes] == ["request-1", "request-2", "request-3"]
    for question, outcome in zip(QUESTIONS, outcomes, strict=True):
        assert outcome.response
        assert question[0]["content"] in outcome.response.body.choices[0].message.content


def test_the_complete_workflow(life: Life, tmp_path: Path) -> None:
    with (tmp_path / "requests.jsonl").open("w") as file:
        for request in chat_lines(20):
            file.write(json.dumps(request) + "\n")

    batch = batch_completion_create(
        input_file_path=tmp_path / "requests.jsonl",
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"project": "my-project"},
    )
    life.run("admin", batch.id)
    batch = batch_completion_retrieve(
        batch_id=batch.id, output_file_path=tmp_path / "results.jsonl"
    )

    assert batch.status == "completed"
    assert batch.request_counts["completed"] == batch.request_counts.get("total") == 20
    with (tmp_path / "results.jsonl").open() as file:
        for number, line in enumerate(file):
            result = json.loads(line)
            assert result["custom_id"] == f"task-{number}"
            assert (
                f"Task {number}" in result["response"]["body"]["choices"][0]["message"]["content"]
            )
    assert [one.id for one in batch_completion_list(limit=10).data] == [batch.id]


def test_lines_that_failed_stand_among_the_others(life: Life, tmp_path: Path) -> None:
    lines = chat_lines(5)
    for number in (1, 3):
        lines[number]["body"]["messages"][0]["content"] = "[[fail:400]]"
    batch = batch_completion_create(requests=iter(lines))
    life.run("admin", batch.id)

    batch_completion_retrieve(batch.id, output_file_path=tmp_path / "results.jsonl")

    with (tmp_path / "results.jsonl").open() as file:
        results = [json.loads(line) for line in file]
    assert [result["custom_id"] for result in results] == [f"task-{n}" for n in range(5)]
    assert ["error" in result for result in results] == [False, True, False, True, False]


# ---- batches that nobody asked for


def test_what_takes_long_is_followed_to_its_end(life: Life, simulator: SimulatorClient) -> None:
    prompts = [*QUESTIONS, [{"role": "user", "content": "[[fail:400]]"}]]
    looks: list[str] = []

    def on_progress(batch: Batch) -> None:
        looks.append(batch.status)
        if batch.status == "validating":
            life.run("admin", batch.id)

    found = batch_completion(
        model="gpt-4o",
        messages=prompts,
        extra_headers={"Prefer": "wait=0"},
        on_progress=on_progress,
    )

    assert isinstance(found, list)
    *good, bad = found
    for question, answer in zip(QUESTIONS, answers_of(good), strict=True):
        assert question[0]["content"] in said(answer)
    assert isinstance(bad, nightmail.BadRequestError)
    assert looks == ["validating", "completed"]


def test_a_batch_that_was_asked_for_is_the_answer() -> None:
    batch = batch_completion(
        model="gpt-4o", messages=QUESTIONS, extra_headers={"Prefer": "respond-async"}
    )

    assert isinstance(batch, Batch)


def test_waiting_for_a_batch_tells_its_progress(life: Life) -> None:
    batch = batch_completion_create(requests=chat_lines(3))
    looks: list[tuple[str, int]] = []

    def on_progress(batch: Batch) -> None:
        looks.append((batch.status, batch.request_counts.completed))
        if batch.status == "validating":
            life.run("admin", batch.id)

    done = batch_completion_wait(batch.id, on_progress=on_progress)

    assert done.status == "completed"
    assert looks == [("validating", 0), ("completed", 3)]


def test_a_cancelled_batch_tells_what_became_of_each_request(life: Life) -> None:
    batch = batch_completion_create(requests=chat_lines(3))
    with pytest.raises(nightmail.BadRequestError, match="batch_completion_wait"):
        list(batch_completion_results(batch.id))

    def cancel(function: str) -> None:
        if function == "submit_shard":
            assert nightmail.cancel_batch(batch.id).status == "cancelling"

    life.before = cancel
    life.run("admin", batch.id)

    assert nightmail.retrieve_batch(batch.id).status == "cancelled"
    told = [
        (one.custom_id, one.error.code) for one in batch_completion_results(batch.id) if one.error
    ]
    assert told == [(f"task-{n}", "batch_cancelled") for n in range(3)]


def test_a_batch_that_is_refused_leaves_no_file_behind() -> None:
    with pytest.raises(nightmail.BadRequestError, match="24h"):
        batch_completion_create(requests=chat_lines(1), completion_window="8d")

    assert nightmail.file_list().data == []


def test_a_batch_has_a_key_that_makes_it_once(server: GatewayServer) -> None:
    for _ in range(2):
        batch_completion_create(requests=chat_lines(1))
    batch_completion("gpt-4o-batch", QUESTIONS)

    asked = [one.asked for one in server.gateway.exchanges if one.asked.method == "POST"]
    keys = [one.header("idempotency-key") for one in asked if one.path != "/files"]
    assert len(set(keys)) == 3
    assert all(keys)


def test_everything_can_be_awaited(life: Life, tmp_path: Path) -> None:
    async def work() -> list[str]:
        batch = await nightmail.abatch_completion_create(requests=chat_lines(3))
        await asyncio.to_thread(life.run, "admin", batch.id)
        assert (await nightmail.abatch_completion_wait(batch.id)).status == "completed"
        stream = await nightmail.acompletion("gpt-4o", GREETING, stream=True)
        assert len([chunk async for chunk in stream]) > 1
        return [one.custom_id async for one in nightmail.abatch_completion_results(batch.id)]

    assert asyncio.run(work()) == ["task-0", "task-1", "task-2"]


def test_files_and_batches_by_their_awaited_functions(tmp_path: Path) -> None:
    path = tmp_path / "batch.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in chat_lines(2)))

    asyncio.run(files_and_batches(path))


# ---- what only a gateway has


def mixed_lines() -> list[dict[str, Any]]:
    """What the page has as a mix, and a line for another provider."""
    prompt = [{"role": "user", "content": "Hello"}]
    return [
        {"custom_id": "chat-1", "body": {"model": "gpt-4o-mini", "messages": prompt}},
        {
            "custom_id": "embed-1",
            "url": "/v1/embeddings",
            "body": {"model": "text-embedding-3-small", "input": "Text to embed"},
        },
        {"custom_id": "chat-2", "body": {"model": "claude-2", "messages": prompt}},
    ]


@pytest.mark.of("anthropic")
def test_a_mix_of_request_types_is_one_batch_that_tells_its_cost(life: Life) -> None:
    batch = batch_completion_create(requests=mixed_lines(), completion_window="60h")
    life.run("admin", batch.id)

    outcomes = list(batch_completion_results(batch.id))
    done = batch_completion_retrieve(batch.id)

    assert [(one.custom_id, one.error) for one in outcomes] == [
        ("chat-1", None),
        ("embed-1", None),
        ("chat-2", None),
    ]
    assert done.completion_window == "60h"
    assert done.usage
    tokens = 1e-6 * done.usage.input_tokens + 2e-6 * done.usage.output_tokens
    assert done.cost == pytest.approx(tokens)
    assert done.synchronous_cost == pytest.approx(2 * tokens)
    assert done.saved == pytest.approx(tokens)
    assert done.nightmail
    assert done.nightmail.usage
    assert {(bill.model, bill.provider, bill.lines) for bill in done.nightmail.usage} == {
        ("gpt-4o-mini", "openai", 1),
        ("text-embedding-3-small", "openai", 1),
        ("claude-2", "anthropic", 1),
    }
    assert sum(one.nightmail.cost for one in outcomes if one.nightmail) == pytest.approx(done.cost)


@pytest.mark.of("anthropic")
def test_a_strict_batch_keeps_openais_rule(life: Life) -> None:
    batch = batch_completion_create(requests=mixed_lines(), strict=True)
    life.run("admin", batch.id)

    failed = batch_completion_retrieve(batch.id)

    assert (failed.status, failed.nightmail and failed.nightmail.strict) == ("failed", True)
    assert failed.errors
    assert "invalid_url" in {error.code for error in failed.errors.data}


@pytest.mark.of("anthropic")
def test_a_dry_run_tells_what_a_batch_would_cost_and_its_file_can_be_run(
    life: Life, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(_seconds: float) -> None:
        (batch,) = wiring.batches().list("admin")
        life.run("admin", batch.id)

    monkeypatch.setattr(wiring, "pause", plan)
    plan_of_it = batch_completion_create(requests=mixed_lines(), dry_run=True)

    assert plan_of_it.status == "completed"
    assert plan_of_it.estimate
    assert plan_of_it.estimate.lines == 3
    assert plan_of_it.estimate.cost
    assert simulator.calls() == []
    with pytest.raises(nightmail.BadRequestError, match="dry run"):
        list(batch_completion_results(plan_of_it.id))
    batch = nightmail.create_batch(
        input_file_id=plan_of_it.input_file_id or "", on_deadline="finish_direct"
    )
    life.run("admin", batch.id)
    assert batch.nightmail
    assert batch.nightmail.on_deadline == "finish_direct"
    assert len(list(batch_completion_results(batch.id))) == 3


def test_results_are_read_as_they_come(life: Life) -> None:
    lines = chat_lines(5)
    lines[2]["body"]["messages"][0]["content"] = "[[fail:400]]"
    batch = batch_completion_create(requests=lines)
    stream = batch_completion_results(batch.id, as_completed=True)
    early: list[str] = []

    def look(function: str) -> None:
        if function == "finalize_batch" and not early:
            early.append(next(stream).custom_id)

    life.before = look
    life.run("admin", batch.id)

    told = early + [one.custom_id for one in stream]
    assert len(early) == 1
    assert sorted(told) == [f"task-{n}" for n in range(5)]


def test_what_failed_is_retried_and_merged(life: Life) -> None:
    lines = chat_lines(4)
    lines[1]["body"]["messages"][0]["content"] = "[[fail:400:1]] Task 1"
    lines[3]["body"]["messages"][0]["content"] = "[[fail:400]]"
    parent = batch_completion_create(requests=lines, metadata={"project": "p"})
    with pytest.raises(nightmail.ConflictError):
        nightmail.batch_completion_retry(parent.id)
    with pytest.raises(nightmail.ConflictError):
        list(batch_completion_results(parent.id, merged=True))
    life.run("admin", parent.id)

    retry = nightmail.retry_batch(parent.id, completion_window="2h")
    life.run("admin", retry.id)

    assert (retry.completion_window, retry.metadata) == ("2h", {"project": "p"})
    assert retry.nightmail
    assert retry.nightmail.retry_of == parent.id
    outcomes = list(batch_completion_results(retry.id))
    assert [(one.custom_id, bool(one.error)) for one in outcomes] == [
        ("task-1", False),
        ("task-3", True),
    ]
    merged = list(batch_completion_results(parent.id, merged=True))
    assert [(one.custom_id, bool(one.error)) for one in merged] == [
        ("task-0", False),
        ("task-1", False),
        ("task-2", False),
        ("task-3", True),
    ]


@pytest.mark.of("anthropic")
def test_a_batch_of_anthropics_goes_through_the_gateway(
    life: Life, simulator: SimulatorClient
) -> None:
    """Its id, and the provider that is named, do not lead past it."""
    lines = [{**line, "body": {**line["body"], "model": "claude-2"}} for line in chat_lines(2)]

    batch = batch_completion_create(requests=lines, custom_llm_provider="anthropic")
    life.run("admin", batch.id)

    assert batch.id.startswith("batch_")
    assert [one.custom_id for one in batch_completion_results(batch.id)] == ["task-0", "task-1"]
    with pytest.raises(nightmail.NotFoundError):
        nightmail.retrieve_batch("msgbatch_1")
    assert [one["provider"] for one in simulator.batches()] == ["anthropic"]


# ---- files


def test_a_file_of_any_size_goes_up_and_comes_down(tmp_path: Path) -> None:
    """One that is too big for a request goes to S3 in parts."""
    for megabytes in (1, 21):
        line = json.dumps({**chat_lines(1)[0], "padding": "x" * 2**20}) + "\n"
        path = tmp_path / f"{megabytes}.jsonl"
        path.write_text(line * megabytes)

        made = nightmail.create_file(path, purpose="batch")

        assert made.bytes == path.stat().st_size
        assert nightmail.file_retrieve(made.id).filename == path.name
        assert [one.id for one in nightmail.file_list(limit=1).data] == [made.id]


def test_the_content_of_a_file_is_what_was_sent(tmp_path: Path) -> None:
    content = bytes(range(256)) * 100
    made = nightmail.create_file(("a.bin", content), purpose="user_data")

    read = nightmail.file_content(made.id)
    read.write_to_file(tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == read.content == content
    assert nightmail.file_delete(made.id).deleted
    with pytest.raises(nightmail.NotFoundError):
        nightmail.file_retrieve(made.id)


def test_an_upload_that_fails_is_given_up(server: GatewayServer, tmp_path: Path) -> None:
    """The parts are there, and are no batch file together."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"no json\n" * 2**20)

    with pytest.raises(nightmail.BadRequestError):
        nightmail.create_file(path, purpose="batch")

    uploads = [one for one in server.gateway.exchanges if "/uploads" in one.asked.path]
    assert uploads[-1].asked.path.endswith("/cancel")
    assert uploads[-1].answered.status == 200


# ---- ordinary calls


def test_one_prompt_to_one_model_whole_and_as_a_stream() -> None:
    whole = completion("gpt-4o", GREETING)
    stream = completion("gpt-4o", GREETING, stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]

    assert "".join(pieces) == whole.choices[0].message.content


@pytest.mark.of("anthropic", "cohere")
def test_a_stream_of_the_fastest() -> None:
    stream = batch_completion_models(models=MODELS, messages=GREETING, stream=True)

    assert {chunk.model for chunk in stream} < set(MODELS)


def test_vectors() -> None:
    vectors = embedding("text-embedding-3-small", ["one", "two"])

    assert [one.index for one in vectors.data] == [0, 1]
    assert isinstance(vectors.data[0].embedding[0], float)
    assert vectors.usage.total_tokens > 0


def test_an_answer_that_is_too_big_is_fetched_where_it_lies(simulator: SimulatorClient) -> None:
    prompts = [[{"role": "user", "content": f"[[long:60000]] {n}"}] for n in range(30)]

    answers = answers_of(batch_completion("gpt-4o", prompts))

    assert sum(len(said(answer)) for answer in answers) > 5_000_000


# ---- errors


def test_errors_of_the_gateway_have_its_words() -> None:
    with pytest.raises(nightmail.NotFoundError) as caught:
        completion("nobody", GREETING)

    assert (caught.value.status_code, caught.value.code) == (404, "model_not_found")
    with pytest.raises(nightmail.AuthenticationError):
        completion("gpt-4o", GREETING, api_key="sk-wrong")
    with pytest.raises(nightmail.BadRequestError, match="messages"):
        batch_completion("gpt-4o", GREETING)


def test_errors_of_a_whole_request_name_the_model(simulator: SimulatorClient) -> None:
    simulator.behave({"kind": "status", "status": 400})

    for ask in (
        lambda: completion("gpt-4o", GREETING),
        lambda: completion("gpt-4o", GREETING, stream=True),
        lambda: embedding("gpt-4o", ["one"]),
        lambda: batch_completion("gpt-4o", GREETING),
        lambda: batch_completion("gpt-4o", [GREETING], stream=True, return_exceptions=False),
        lambda: batch_completion_models(["gpt-4o"], GREETING),
        lambda: batch_completion_models(["gpt-4o"], GREETING, stream=True),
        lambda: batch_completion_models_all_responses(["gpt-4o"], []),
    ):
        with pytest.raises(nightmail.BadRequestError) as caught:
            ask()
        assert caught.value.model == "gpt-4o"


@pytest.mark.parametrize("models", [["gpt-4o"], ["gpt-4o", "nobody"]])
def test_a_stream_that_breaks_names_its_model(
    simulator: SimulatorClient, models: list[str]
) -> None:
    simulator.behave({"kind": "broken_stream"})

    with pytest.raises(NightmailError) as caught:
        list(batch_completion_models(models, GREETING, stream=True))

    assert caught.value.model == "gpt-4o"


def test_nobody_won() -> None:
    with pytest.raises(NightmailError) as caught:
        batch_completion_models(models=["nobody", "no-one"], messages=GREETING)

    assert caught.value.status_code == 404
    assert [one["model"] for one in caught.value.models or ()] == ["nobody", "no-one"]
    assert caught.value.model == "nobody, no-one"


def test_providers_keys_never_go_to_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIGHTMAIL_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")

    with pytest.raises(nightmail.AuthenticationError, match="NIGHTMAIL_API_KEY"):
        completion("gpt-4o", GREETING)


def test_a_call_may_name_the_gateway(
    server: GatewayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NIGHTMAIL_BASE_URL")

    answer = completion("gpt-4o", GREETING, base_url=f"{server.url}/v1", api_key=MASTER_KEY)

    assert answer.model == "gpt-4o"
