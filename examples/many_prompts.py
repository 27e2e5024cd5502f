"""Many prompts in one request, with the stock openai client. Before: set -a; . .local/env"""

import time
from typing import Any

from openai import OpenAI

client = OpenAI()  # OPENAI_BASE_URL and OPENAI_API_KEY say where, and who
questions = ["What is AI?", "What is ML?", "What is DL?"]
prompts = [[{"role": "user", "content": question}] for question in questions]
body = {"model": "gpt-4o-mini", "messages": prompts}

answer = client.post("/batch_completion", body=body, cast_to=dict[str, Any])
for item in answer["data"]:
    print(item.get("error") or item["choices"][0]["message"]["content"])

# The same as a batch: who is in no hurry need not wait.
patient = client.with_options(default_headers={"Prefer": "respond-async"})
created = patient.post("/batch_completion", body=body, cast_to=dict[str, Any])
batch = client.batches.retrieve(created["id"])
while batch.status not in {"completed", "failed", "expired", "cancelled"}:
    time.sleep(1)
    batch = client.batches.retrieve(batch.id)
print(batch.status, batch.request_counts)
for file_id in filter(None, [batch.output_file_id, batch.error_file_id]):
    print(client.files.content(file_id).text)
