"""A file put into the bucket comes back as results, by the deployed functions and their roles alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import RunningCloud

PATIENCE_SECONDS = 60


def line(number: int, model: str = "gpt-4o-mini") -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"Question {number}?"}]}
    return {
        "custom_id": f"q-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def lines(count: int, **changes: Any) -> bytes:
    return "\n".join(json.dumps(line(number, **changes)) for number in range(count)).encode()


class Bucket:
    """The stack's bucket, as somebody with an AWS account sees it."""

    def __init__(self, cloud: RunningCloud) -> None:
        self._client = cloud.session.client("s3")
        self._name = cloud.outputs["BucketName"]

    def put(self, key: str, body: bytes, **metadata: str) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=body, Metadata=metadata)

    def get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._name, Key=key)["Body"].read()

    def keys(self, prefix: str) -> list[str]:
        found = self._client.list_objects_v2(Bucket=self._name, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def wait_for(self, key: str) -> dict[str, Any]:
        """The JSON object at `key`, as soon as it is there."""
        wait_until(lambda: key in self.keys(key))
        content: dict[str, Any] = json.loads(self.get(key))
        return content


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"This did not come true within {PATIENCE_SECONDS} s.")
        time.sleep(0.1)


@pytest.fixture
def bucket(cloud: RunningCloud) -> Bucket:
    return Bucket(cloud)


def test_a_dropped_file_comes_back_with_its_answers_in_its_order(bucket: Bucket) -> None:
    bucket.put("inbox/admin/door/three.jsonl", lines(3))
    status = bucket.wait_for("outbox/admin/door/three.status.json")
    assert status["status"] == "completed"
    assert status["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    answers = bucket.get("outbox/admin/door/three.output.jsonl").splitlines()
    assert [json.loads(answer)["custom_id"] for answer in answers] == ["q-0", "q-1", "q-2"]
    assert bucket.keys("outbox/admin/door/three.") == [
        "outbox/admin/door/three.output.jsonl",
        "outbox/admin/door/three.status.json",
    ]


def test_a_sidecar_and_metadata_say_how_to_run_it(bucket: Bucket) -> None:
    sidecar = {"metadata": {"from": "sidecar"}, "endpoint": "/v1/embeddings"}
    bucket.put("inbox/admin/door/beside.json", json.dumps(sidecar).encode())
    bucket.put("inbox/admin/door/beside.jsonl", lines(1), endpoint="/v1/chat/completions")
    status = bucket.wait_for("outbox/admin/door/beside.status.json")
    assert status["endpoint"] == "/v1/chat/completions"
    assert status["metadata"] == {"from": "sidecar"}
    assert status["status"] == "completed"


def test_a_file_with_a_bad_line_leaves_its_errors_and_is_sent_to_nobody(
    bucket: Bucket, cloud: RunningCloud
) -> None:
    bucket.put("inbox/admin/door/bad.jsonl", lines(1) + b"\nno json")
    status = bucket.wait_for("outbox/admin/door/bad.status.json")
    assert status["status"] == "failed"
    assert [error["line"] for error in status["errors"]["data"]] == [2]
    error = json.loads(bucket.get("outbox/admin/door/bad.error.json"))["error"]
    assert error["code"] == "invalid_json_line"
    assert bucket.keys("outbox/admin/door/bad.output") == []


def test_what_cannot_be_taken_says_why(bucket: Bucket) -> None:
    bucket.put("inbox/admin/door/table.csv", b"a,b")
    refusal = bucket.wait_for("outbox/admin/door/table.csv.error.json")
    assert "Must be .jsonl" in refusal["error"]["message"]
