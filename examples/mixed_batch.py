"""Any mix in one file: estimated, read while it runs, and retried. Before: set -a; . .local/env"""

import json
import time
from collections.abc import Iterator
from typing import Any, Final

from openai import HttpxBinaryResponseContent, OpenAI
from openai.types import Batch

client = OpenAI()  # OPENAI_BASE_URL and OPENAI_API_KEY say where, and who
CHAT: Final = "/v1/chat/completions"
EMBEDDINGS: Final = "/v1/embeddings"
LIMIT = {"max_completion_tokens": 200}
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    (CHAT, "gpt-4o-mini", {"messages": [{"role": "user", "content": "What is AI?"}], **LIMIT}),
    (CHAT, "claude-haiku-4-5", {"messages": [{"role": "user", "content": "What is ML?"}], **LIMIT}),
    (EMBEDDINGS, "text-embedding-3-small", {"input": "What is DL?"}),
]


def line(number: int, url: str, model: str, body: dict[str, Any]) -> bytes:
    request = {"method": "POST", "url": url, "body": {"model": model, **body}}
    return json.dumps({"custom_id": f"question-{number}", **request}).encode() + b"\n"


def create(file_id: str, **extensions: Any) -> Batch:
    return client.batches.create(
        input_file_id=file_id,
        endpoint=CHAT,
        completion_window="24h",
        extra_body={"nightmail": extensions},
    )


def details(batch: Batch) -> dict[str, Any]:
    """What OpenAI's object has no place for."""
    return dict((batch.model_extra or {})["nightmail"])


def results(batch: Batch) -> Iterator[dict[str, Any]]:
    """Result lines as they come, until there are no more."""
    query: dict[str, Any] = {}
    while True:
        page = client.get(
            f"/batches/{batch.id}/output",
            cast_to=HttpxBinaryResponseContent,
            options={"params": query},
        )
        yield from map(json.loads, page.text.splitlines())
        if "x-nightmail-incomplete" not in page.response.headers:
            return
        query = {"after": page.response.headers["x-nightmail-cursor"]}
        if not page.text:
            time.sleep(2)


content = b"".join(line(number, *asked) for number, asked in enumerate(ASKED, 1))
file_id = client.files.create(file=("mixed.jsonl", content), purpose="batch").id

estimate = details(create(file_id, dry_run=True))["estimate"]
print("estimated cost in USD:", estimate["cost"], *estimate["warnings"], sep="\n  ")

batch = create(file_id, on_deadline="finish_direct")
for result in results(batch):
    print(result["custom_id"], "failed" if result["error"] else result["response"]["status_code"])

batch = client.batches.retrieve(batch.id)
print(batch.status, batch.request_counts)
print("cost in USD:", details(batch)["cost"], "saved:", details(batch)["saved"])
if batch.error_file_id:
    again = client.post(f"/batches/{batch.id}/retry", cast_to=Batch)
    print("what failed runs again as", again.id)
