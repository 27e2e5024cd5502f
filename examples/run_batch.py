"""A batch with the stock openai client. Before: set -a; . .local/env"""

import json
import sys
import time
from pathlib import Path

from openai import OpenAI

client = OpenAI()  # OPENAI_BASE_URL and OPENAI_API_KEY say where, and who
requests = Path(sys.argv[1] if len(sys.argv) > 1 else "examples/requests.jsonl")
endpoint = json.loads(requests.open(encoding="utf-8").readline())["url"]
uploaded = client.files.create(file=requests, purpose="batch")
batch = client.batches.create(input_file_id=uploaded.id, endpoint=endpoint, completion_window="24h")
while batch.status not in {"completed", "failed", "expired", "cancelled"}:
    time.sleep(5)
    batch = client.batches.retrieve(batch.id)
print(batch.status, batch.request_counts, batch.errors or "")
for file_id in filter(None, [batch.output_file_id, batch.error_file_id]):
    print(client.files.content(file_id).text)
