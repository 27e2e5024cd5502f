"""A program of a user's: everything that batching takes, by the official client, of any version.

python client_tour.py BASE_URL KEY
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import openai

ENDPOINT: Final = "/v1/chat/completions"
FINAL = {"completed", "failed", "expired", "cancelled"}
PART_BYTES = 4 * 1024 * 1024


def write_input(path: Path, lines: int) -> Path:
    """An input file in which every line asks for another thing."""
    with path.open("w") as file:
        for number in range(lines):
            messages = [{"role": "user", "content": f"Question {number} " + "x" * 10_000}]
            body = {"model": "gpt-4o", "messages": messages}
            line = {"custom_id": f"q-{number}", "method": "POST", "url": ENDPOINT, "body": body}
            file.write(json.dumps(line) + "\n")
    return path


def run_batch(client: openai.OpenAI, file_id: str) -> list[str]:
    """Create a batch, wait for its end, and answer the custom_ids of its output."""
    batch = client.batches.create(
        input_file_id=file_id,
        endpoint=ENDPOINT,
        completion_window="24h",
        metadata={"tour": "run me"},
    )
    while batch.status not in FINAL:
        time.sleep(0.05)
        batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed", batch
    assert batch.output_file_id, batch
    output = client.files.content(batch.output_file_id).text
    return [json.loads(line)["custom_id"] for line in output.splitlines()]


def tour(client: openai.OpenAI, folder: Path) -> None:
    """Raises AssertionError, or an error of the client's, where something is not as at OpenAI."""
    small = client.files.create(file=write_input(folder / "in.jsonl", 3), purpose="batch")
    assert client.files.retrieve(small.id).filename == "in.jsonl"
    assert run_batch(client, small.id) == ["q-0", "q-1", "q-2"]

    big = client.uploads.upload_file_chunked(
        file=write_input(folder / "big.jsonl", 500),
        mime_type="application/jsonl",
        purpose="batch",
        part_size=PART_BYTES,
    )
    assert big.file, big
    assert run_batch(client, big.file.id) == [f"q-{number}" for number in range(500)]

    unfinished = client.uploads.create(
        filename="a.txt", purpose="assistants", bytes=3, mime_type="text/plain"
    )
    client.uploads.parts.create(unfinished.id, data=b"abc")
    assert client.uploads.cancel(unfinished.id).status == "cancelled"

    assert len([batch.id for batch in client.batches.list(limit=1)]) == 2
    assert len([file.id for file in client.files.list(limit=1)]) == 4
    assert "gpt-4o" in [model.id for model in client.models.list()]
    assert client.models.retrieve("openai/gpt-4.1").id == "openai/gpt-4.1"
    unwanted = client.batches.create(
        input_file_id=small.id, endpoint=ENDPOINT, completion_window="24h", metadata=None
    )
    assert client.batches.cancel(unwanted.id).status == "cancelling"
    for file in client.files.list():
        assert client.files.delete(file.id).deleted
    wrong = ""
    try:
        client.files.retrieve(small.id)
    except openai.NotFoundError as error:
        wrong = str(error.param)
    assert wrong == "id"


if __name__ == "__main__":
    base_url, key = sys.argv[1:]
    with TemporaryDirectory() as name, openai.OpenAI(base_url=base_url, api_key=key) as user:
        tour(user, Path(name))
    print(openai.__version__)  # noqa: T201 - so that the test knows who was here
