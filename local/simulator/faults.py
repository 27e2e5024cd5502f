"""What the simulator can be made to do wrong, as data for `POST /_control/behaviour`.

A fault says whom it strikes (`match`), how often (`times`, null is always), and which part of the
calls (`share`).

    {"kind": "status", "status": 429, "retry_after": 2, "times": 3, "match": {"path": "/batches"}}
    {"kind": "status", "status": 529, "share": 0.05, "match": {"provider": "anthropic"}}
    {"kind": "status", "status": 200, "body": "{not JSON", "media_type": "application/json"}
    {"kind": "hold", "when": "first_token", "name": "loser", "match": {"model": "gpt-4o"}}
    {"kind": "latency", "seconds": 0.2, "token": 0.01, "match": {"provider": "cohere"}}
    {"kind": "rate_limited", "requests": 60, "match": {"model": "gpt-4o"}}
    {"kind": "drop", "when": "after", "match": {"method": "POST", "path": "/batches"}, "times": 1}
    {"kind": "stuck_batch", "at": "in_progress", "after_lines": 10}
    {"kind": "queue_limit", "lines": 1000, "match": {"model": "gpt-4o", "key": "abcd"}}
    {"kind": "truncated", "mid_line": true, "match": {"metadata": {"shard": "2"}}}
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from local.simulator.batch_faults import BatchFault
from local.simulator.call_faults import CallFault, Latency

AnyFault = Annotated[CallFault | Latency | BatchFault, Field(discriminator="kind")]
