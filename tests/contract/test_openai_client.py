"""The official client, newest version, runs unmodified: Files, Uploads, Batches, Models, errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import openai
import pytest
from openai.types import Batch

from tests.contract.api_gateway import ApiGateway
from tests.contract.client_calls import INPUT, big_file, create
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.contract.life import Life
from tests.simulated import CHAT

PART_BYTES = 4 * 1024 * 1024


# ---- files


def test_a_file_is_created_retrieved_read_and_deleted(client: openai.OpenAI) -> None:
    made = client.files.create(
        file=INPUT, purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )

    assert made.expires_at == made.created_at + 3600
    assert client.files.retrieve(made.id) == made
    assert client.files.wait_for_processing(made.id).status == "processed"
    assert client.files.content(made.id).content == INPUT[1]
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_a_file_of_any_bytes_is_read_as_it_was_sent(client: openai.OpenAI) -> None:
    content = bytes(range(256)) * 4
    made = client.files.create(file=("a.bin", content), purpose="user_data")

    assert client.files.content(made.id).content == content


def test_files_are_listed_page_after_page(client: openai.OpenAI) -> None:
    made = [client.files.create(file=INPUT, purpose="batch").id for _ in range(5)]
    client.files.create(file=("notes.txt", b"notes"), purpose="assistants")

    newest_first = [file.id for file in client.files.list(limit=2, purpose="batch")]

    assert newest_first == made[::-1]
    assert [file.id for file in client.files.list(limit=2, order="asc")][:5] == made


# ---- uploads


def test_a_big_file_goes_up_in_parts_and_comes_back(
    client: openai.OpenAI, gateway: ApiGateway
) -> None:
    content = big_file(6_000_000)

    upload = client.uploads.upload_file_chunked(
        file=content,
        filename="big.jsonl",
        bytes=len(content),
        mime_type="application/jsonl",
        purpose="batch",
        part_size=PART_BYTES,
    )

    assert upload.status == "completed"
    assert upload.file
    assert upload.file.bytes == len(content)
    joining = {"v": 1, "owner": "admin", "file_id": upload.file.id, "segments": 2}
    gateway.invoke("join_file", {"detail": joining})
    assert client.files.content(upload.file.id).content == content


def test_parts_are_put_in_the_order_that_complete_gives(client: openai.OpenAI) -> None:
    upload = client.uploads.create(
        filename="a.txt", purpose="assistants", bytes=6, mime_type="text/plain"
    )
    second = client.uploads.parts.create(upload.id, data=b"def")
    first = client.uploads.parts.create(upload.id, data=b"abc")

    done = client.uploads.complete(upload.id, part_ids=[first.id, second.id])

    assert done.file
    assert client.files.content(done.file.id).content == b"abcdef"


def test_parts_that_went_straight_to_s3_are_completed_the_same_way(client: openai.OpenAI) -> None:
    upload = client.uploads.create(
        filename="a.txt", purpose="assistants", bytes=6, mime_type="text/plain"
    )
    extension = (upload.model_extra or {})["nightmail"]
    (part,) = extension["part_urls"]
    httpx.put(part["url"], content=b"abcdef", trust_env=False).raise_for_status()

    done = client.uploads.complete(upload.id, part_ids=[part["part_id"]])

    assert done.file
    assert client.files.content(done.file.id).content == b"abcdef"


def test_a_cancelled_upload_takes_no_more(client: openai.OpenAI) -> None:
    upload = client.uploads.create(
        filename="a.txt", purpose="assistants", bytes=6, mime_type="text/plain"
    )

    assert client.uploads.cancel(upload.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(upload.id, data=b"abc")


# ---- batches


def test_a_batch_runs_to_its_end(client: openai.OpenAI, life: Life) -> None:
    created = create(client)
    assert (created.status, created.metadata) == ("validating", {"customer": "7"})

    life.run("admin", created.id)

    done = client.batches.retrieve(created.id)
    assert done.status == "completed"
    assert done.request_counts
    assert done.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}
    assert done.output_file_id
    assert done.error_file_id
    output = client.files.content(done.output_file_id).text.splitlines()
    assert [json.loads(each)["custom_id"] for each in output] == ["line-1", "line-2"]
    (error,) = client.files.content(done.error_file_id).text.splitlines()
    assert json.loads(error)["response"]["status_code"] == 400


def test_batches_are_listed_page_after_page(client: openai.OpenAI) -> None:
    made = [create(client, "file-nobody-knows").id for _ in range(5)]

    assert [batch.id for batch in client.batches.list(limit=2)] == made[::-1]


def test_a_batch_is_cancelled(client: openai.OpenAI, life: Life) -> None:
    batch = create(client)

    assert client.batches.cancel(batch.id).status == "cancelling"
    life.run("admin", batch.id)
    assert client.batches.retrieve(batch.id).status == "cancelled"
    assert client.batches.cancel(batch.id).status == "cancelled"


def test_a_batch_without_its_file_fails(client: openai.OpenAI, life: Life) -> None:
    batch = create(client, "file-nobody-knows")

    life.run("admin", batch.id)

    failed = client.batches.retrieve(batch.id)
    assert failed.status == "failed"
    assert failed.errors
    assert failed.errors.data
    assert "file-nobody-knows" in str(failed.errors.data[0].message)


def test_one_idempotency_key_makes_one_batch(client: openai.OpenAI) -> None:
    file_id = client.files.create(file=INPUT, purpose="batch").id
    key = {"Idempotency-Key": "order-7"}
    first, again = (
        client.batches.create(
            input_file_id=file_id, endpoint=CHAT, completion_window="24h", extra_headers=key
        )
        for _ in range(2)
    )

    assert first.id == again.id
    with pytest.raises(openai.ConflictError):
        client.batches.create(
            input_file_id="file-other", endpoint=CHAT, completion_window="24h", extra_headers=key
        )


# ---- models


def test_models_are_listed_and_retrieved(client: openai.OpenAI) -> None:
    assert "gpt-5-mini" in [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-5-mini").owned_by == "openai"


def test_a_models_name_may_have_slashes(client: openai.OpenAI) -> None:
    assert client.models.retrieve("openai/gpt-4.1").id == "openai/gpt-4.1"


# ---- the asynchronous client


@asynccontextmanager
async def asynchronous(server: GatewayServer) -> AsyncIterator[openai.AsyncOpenAI]:
    url = f"{server.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=MASTER_KEY) as client:
        yield client


def test_the_asynchronous_client_runs_batches_side_by_side(
    server: GatewayServer, life: Life
) -> None:
    async def run(client: openai.AsyncOpenAI) -> Batch:
        file = await client.files.create(file=INPUT, purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint=CHAT, completion_window="24h"
        )
        await asyncio.to_thread(life.run, "admin", batch.id)
        return await client.batches.retrieve(batch.id)

    async def run_three() -> None:
        async with asynchronous(server) as client:
            done = await asyncio.gather(*(run(client) for _ in range(3)))
            assert {batch.status for batch in done} == {"completed"}
            listed = [batch.id async for batch in client.batches.list(limit=2)]
            assert set(listed) == {batch.id for batch in done}
            output = await client.files.content(done[0].output_file_id or "")
            assert len(output.text.splitlines()) == 2

    asyncio.run(run_three())


def test_the_asynchronous_client_uploads_in_parts_and_cancels(server: GatewayServer) -> None:
    async def run() -> None:
        async with asynchronous(server) as client:
            content = big_file(5_000_000)
            upload = await client.uploads.upload_file_chunked(
                file=content,
                filename="big.jsonl",
                bytes=len(content),
                mime_type="application/jsonl",
                purpose="batch",
                part_size=PART_BYTES,
            )
            assert upload.file
            batch = await client.batches.create(
                input_file_id=upload.file.id, endpoint=CHAT, completion_window="24h"
            )
            assert (await client.batches.cancel(batch.id)).status == "cancelling"
            assert (await client.files.delete(upload.file.id)).deleted
            assert (await client.models.retrieve("openai/gpt-4.1")).id == "openai/gpt-4.1"

    asyncio.run(run())
