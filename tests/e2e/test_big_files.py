"""Files too big for one request come in parts, whole, and no function has to hold them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import PARAMETERS, RunningCloud
from tests.e2e.driver import Desk, Journey, assert_promises, open_desk, to_jsonl
from tests.patience import wait_until

MB = 1024 * 1024
BIG = 200 * MB
PART_BYTES = 4 * MB
LINE = b'{"number": %09d, "padding": "' + b"x" * 970 + b'"}\n'


@pytest.fixture
def desk(cloud: RunningCloud) -> Iterator[Desk]:
    with open_desk(cloud) as desk:
        yield desk


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in which every line is another."""
    path = tmp_path_factory.mktemp("big") / "big.jsonl"
    with path.open("wb") as file:
        file.writelines(LINE % number for number in range(BIG // len(LINE % 0)))
    return path


def digest(chunks: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def through_the_gateway(desk: Desk, path: Path) -> str:
    upload = desk.client.uploads.upload_file_chunked(
        file=path, mime_type="application/jsonl", purpose="batch", part_size=PART_BYTES
    )
    assert upload.file
    return upload.file.id


def straight_to_s3(desk: Desk, path: Path) -> str:
    upload = desk.client.uploads.create(
        bytes=path.stat().st_size,
        filename=path.name,
        mime_type="application/jsonl",
        purpose="batch",
    )
    page: dict[str, Any] = (upload.model_extra or {})["nightmail"]
    parts = list(page["part_urls"])
    while page["next"]:
        page = desk.client.get(page["next"], cast_to=dict[str, Any])
        parts += page["part_urls"]
    with path.open("rb") as file, httpx.Client(trust_env=False, timeout=60) as s3:
        for part in parts:
            s3.put(part["url"], content=file.read(page["part_bytes"])).raise_for_status()
    completed = desk.client.uploads.complete(
        upload.id, part_ids=[part["part_id"] for part in parts]
    )
    assert completed.file
    return completed.file.id


@pytest.mark.parametrize("send", [through_the_gateway, straight_to_s3])
def test_200_mb_go_in_and_come_out_the_same(
    desk: Desk, cloud: RunningCloud, big_file: Path, send: Callable[[Desk, Path], str]
) -> None:
    file_id = send(desk, big_file)

    assert desk.client.files.retrieve(file_id).bytes == big_file.stat().st_size
    with big_file.open("rb") as file:
        expected = digest(iter(lambda: file.read(MB), b""))
    with desk.client.files.with_streaming_response.content(file_id) as content:
        assert digest(content.iter_bytes()) == expected
    desk.client.files.delete(file_id)
    wait_until(lambda: not objects_of(desk, cloud))
    for function in ("files", "uploads", "join_file"):
        (size,), peaks = (set(column) for column in zip(*cloud.memory(function), strict=True))
        assert 0 < max(peaks) < size / 2, f"{function} needed {max(peaks)} of its {size} MB"


def objects_of(desk: Desk, cloud: RunningCloud) -> list[str]:
    """What lies in the bucket of the tenant's files and parts."""
    bucket = cloud.session.client("s3")
    return [
        entry["Key"]
        for folder in ("files", "uploads")
        for entry in bucket.list_objects_v2(
            Bucket=cloud.outputs["BucketName"], Prefix=f"{folder}/{desk.tenant.owner}/"
        ).get("Contents", [])
    ]


def test_a_batch_runs_on_parts_that_nobody_has_joined(desk: Desk, cloud: RunningCloud) -> None:
    rules = cloud.session.client("events")
    name = cloud.running.stack.resources["JoinFileRule"]
    requests = desk.questions(40)
    content = to_jsonl(requests)
    rules.disable_rule(Name=name)
    try:
        upload = desk.client.uploads.upload_file_chunked(
            file=content,
            filename="batch.jsonl",
            bytes=len(content),
            mime_type="application/jsonl",
            purpose="batch",
            part_size=len(content) // 7,
        )
        assert upload.file
        batch = desk.client.batches.create(
            input_file_id=upload.file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
        )
        journey: Journey = desk.finish(requests, batch)
        parts = [key for key in objects_of(desk, cloud) if key.startswith("uploads/")]
    finally:
        rules.enable_rule(Name=name)

    assert len(parts) == 8
    assert journey.end.status == "completed"
    assert_promises(journey, desk.simulator)


def test_more_lines_than_the_gateway_takes_are_refused(desk: Desk) -> None:
    line = json.dumps(desk.questions(1)[0]).encode() + b"\n"
    most = int(PARAMETERS["MaxBatchLines"])
    content = b"".join(line.replace(b"q-0", b"q-%d" % number) for number in range(most + 1))

    end = desk.follow(desk.start(content))[-1]

    assert end.status == "failed"
    assert end.errors
    assert [error.code for error in end.errors.data or []] == ["too_many_requests"]
    assert desk.calls() == []
