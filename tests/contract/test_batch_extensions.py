"""What Nightmail adds to batches, through the official client: a mix, dry runs, output, retries."""

from __future__ import annotations

import json
from typing import Any

import boto3
import openai
import pytest
import yaml
from nightmail import wiring
from openai import HttpxBinaryResponseContent
from openai.types import Batch

from local.simulator.client import SimulatorClient
from tests.contract.api_gateway import ApiGateway
from tests.contract.conftest import DIRECT
from tests.contract.life import Life
from tests.simulated import CHAT, as_jsonl, chat, line
from tests.template import Json
from tests.unit.conftest import ENVIRONMENT

CURSOR = "x-nightmail-cursor"
INCOMPLETE = "x-nightmail-incomplete"
EMBEDDINGS = "/v1/embeddings"
PRICES = {
    "input_cost_per_token": 1e-3,
    "output_cost_per_token": 2e-3,
    "input_cost_per_token_batches": 0.5e-3,
    "output_cost_per_token_batches": 1e-3,
}
MIX = [
    line(1, chat("One?")),
    line(2, {**chat("Two?"), "model": "claude-haiku-4-5", "max_tokens": 50}),
    line(3, {"model": "text-embedding-3-small", "input": "Three"}, url=EMBEDDINGS),
    line(4, {**chat("Four?"), "model": DIRECT}),
]


@pytest.fixture
def _priced(gateway: ApiGateway) -> None:
    """Every model has a price, and half of it in batches."""
    assert gateway
    bucket, key = ENVIRONMENT["BUCKET_NAME"], "config/config.yaml"
    s3 = boto3.client("s3")
    config = yaml.safe_load(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    for entry in config["model_list"]:
        entry["litellm_params"] |= PRICES
    s3.put_object(Bucket=bucket, Key=key, Body=yaml.safe_dump(config))


def create(client: openai.OpenAI, lines: list[Json], **extensions: Any) -> Batch:
    file = client.files.create(file=("in.jsonl", as_jsonl(lines)), purpose="batch")
    return client.batches.create(
        input_file_id=file.id,
        endpoint=CHAT,
        completion_window="24h",
        extra_body={"nightmail": extensions},
    )


def retry(client: openai.OpenAI, batch: Batch, **body: Any) -> Batch:
    return client.post(f"/batches/{batch.id}/retry", body=body or None, cast_to=Batch)


def details(batch: Batch) -> Json:
    found: Json = (batch.model_extra or {})["nightmail"]
    return found


class Reader:
    """Reads on and on."""

    def __init__(self, client: openai.OpenAI, batch: Batch, **query: Any) -> None:
        self._client = client
        self._path = f"/batches/{batch.id}/output"
        self._query = query
        self.is_incomplete = True

    def page(self) -> list[Json]:
        """What has come since the page before."""
        page = self._client.get(
            self._path, cast_to=HttpxBinaryResponseContent, options={"params": self._query}
        )
        self._query["after"] = page.response.headers[CURSOR]
        self.is_incomplete = INCOMPLETE in page.response.headers
        return [json.loads(each) for each in page.text.splitlines()]


def statuses(lines: list[Json]) -> list[tuple[str, int]]:
    return [(each["custom_id"], each["response"]["status_code"]) for each in lines]


@pytest.mark.of("anthropic")
@pytest.mark.usefixtures("_priced")
def test_a_mix_is_answered_as_one_and_tells_what_each_model_used(
    client: openai.OpenAI, life: Life
) -> None:
    created = create(client, MIX, on_deadline="finish_direct")
    life.run("admin", created.id)
    done = client.batches.retrieve(created.id)

    assert done.status == "completed", done.errors
    assert done.output_file_id
    output = client.files.content(done.output_file_id).text.splitlines()
    assert statuses([json.loads(each) for each in output]) == [
        (f"line-{number}", 200) for number in range(1, 5)
    ]
    told = details(done)
    assert told["on_deadline"] == "finish_direct"
    assert {(bill["model"], bill["lane"], bill["lines"]) for bill in told["usage"]} == {
        ("gpt-5-mini", "native", 1),
        ("claude-haiku-4-5", "native", 1),
        ("text-embedding-3-small", "native", 1),
        (DIRECT, "direct", 1),
    }
    for bill in told["usage"]:
        full = bill["input_tokens"] * 1e-3 + bill["output_tokens"] * 2e-3
        assert bill["synchronous_cost"] == pytest.approx(full)
        share = 0.5 if bill["lane"] == "native" else 1
        assert bill["cost"] == pytest.approx(full * share)
    assert told["cost"] == pytest.approx(sum(bill["cost"] for bill in told["usage"]))
    assert told["saved"] == pytest.approx(told["synchronous_cost"] - told["cost"])
    (entry,) = client.batches.list()
    assert details(entry)["cost"] == told["cost"]
    assert details(entry).keys() == {"progress", "cost", "synchronous_cost"}


def test_a_price_that_nobody_knows_is_null_and_named(client: openai.OpenAI, life: Life) -> None:
    created = create(client, [line(1)])
    life.run("admin", created.id)
    told = details(client.batches.retrieve(created.id))

    assert (told["cost"], told["saved"]) == (None, None)
    assert told["unpriced_models"] == ["gpt-5-mini"]
    assert told["usage"][0]["input_tokens"] > 0


@pytest.mark.of("anthropic")
def test_a_file_that_is_strict_has_one_endpoint_and_one_model(
    client: openai.OpenAI, life: Life
) -> None:
    created = create(client, MIX, strict=True)
    life.run("admin", created.id)
    failed = client.batches.retrieve(created.id)

    assert (failed.status, details(failed)["strict"]) == ("failed", True)
    assert failed.errors
    assert failed.errors.data
    assert {error.code for error in failed.errors.data} <= {"mismatched_model", "invalid_url"}


@pytest.mark.of("anthropic")
@pytest.mark.usefixtures("_priced")
def test_a_dry_run_answers_its_estimate_and_sends_nothing(
    client: openai.OpenAI, life: Life, simulator: SimulatorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(_seconds: float) -> None:
        (batch,) = wiring.batches().list("admin")
        life.run("admin", batch.id)

    monkeypatch.setattr(wiring, "pause", plan)
    done = create(client, MIX, dry_run=True)

    assert (done.status, details(done)["dry_run"]) == ("completed", True)
    assert (done.output_file_id, done.error_file_id) == (None, None)
    estimate = details(done)["estimate"]
    assert (estimate["lines"], estimate["shards"], estimate["chunks"]) == (4, 3, 1)
    assert {lane["lane"] for lane in estimate["lanes"]} == {"native", "direct"}
    assert estimate["cost"] > 0
    assert simulator.batches() == []
    assert simulator.calls() == []
    assert Reader(client, done).page() == []


def test_output_is_read_while_the_batch_runs_each_line_once(
    client: openai.OpenAI, life: Life
) -> None:
    lines = [line(number, {**chat(f"Question {number}"), "model": DIRECT}) for number in range(30)]
    created = create(client, [*lines, line(99, chat("[[fail:400]]"))])
    reader = Reader(client, created, limit=7)
    seen: list[Json] = []
    life.before = lambda _function: seen.extend(reader.page())
    life.run("admin", created.id)
    assert reader.is_incomplete
    while reader.is_incomplete:
        seen += reader.page()

    done = client.batches.retrieve(created.id)
    assert done.output_file_id
    assert done.error_file_id
    files = [client.files.content(each).text for each in (done.output_file_id, done.error_file_id)]
    expected = [json.loads(each) for text in files for each in text.splitlines()]
    assert len(seen) == 31
    assert sorted(seen, key=lambda each: str(each["id"])) == sorted(
        expected, key=lambda each: str(each["id"])
    )


def test_what_failed_is_run_again_and_merged(
    client: openai.OpenAI, life: Life, simulator: SimulatorClient
) -> None:
    lines = [line(1), line(2, chat("Twice [[fail:400:1]]")), line(3, chat("[[fail:400]]")), line(4)]
    parent = create(client, lines)
    with pytest.raises(openai.ConflictError):
        retry(client, parent)
    life.run("admin", parent.id)
    child = retry(client, parent, completion_window="1h")
    assert (details(child)["retry_of"], child.completion_window) == (parent.id, "1h")
    reader = Reader(client, parent, merged="true")
    before = reader.page()
    life.run("admin", child.id)

    assert (statuses(before), reader.is_incomplete) == ([("line-1", 200)], True)
    again = client.batches.retrieve(child.id)
    assert again.request_counts
    assert again.request_counts.model_dump() == {"total": 2, "completed": 1, "failed": 1}
    rest = reader.page()
    assert statuses(rest) == [("line-2", 200), ("line-3", 400), ("line-4", 200)]
    assert not reader.is_incomplete
    assert sorted(simulator.attempts().values()) == [1, 1, 2, 2]


def test_a_retry_of_a_batch_without_failed_lines_is_a_conflict(
    client: openai.OpenAI, life: Life
) -> None:
    batch = create(client, [line(1)])
    life.run("admin", batch.id)

    with pytest.raises(openai.ConflictError, match="without failed requests"):
        retry(client, batch)


@pytest.mark.parametrize("window", ["1h", "60h", "7d"])
def test_a_window_of_hours_or_days(client: openai.OpenAI, window: Any) -> None:
    batch = client.batches.create(
        input_file_id="file-nobody-knows", endpoint=CHAT, completion_window=window
    )

    hours = int(window[:-1]) * (24 if window[-1] == "d" else 1)
    assert batch.expires_at == batch.created_at + hours * 3600


def test_metadata_asks_for_the_same(client: openai.OpenAI) -> None:
    batch = client.batches.create(
        input_file_id="file-nobody-knows",
        endpoint=CHAT,
        completion_window="24h",
        metadata={"strict": "true", "on_deadline": "finish_direct"},
    )

    assert (details(batch)["strict"], details(batch)["on_deadline"]) == (True, "finish_direct")
    assert batch.metadata == {"strict": "true", "on_deadline": "finish_direct"}
