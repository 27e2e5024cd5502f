"""State SubmitShard: hand one shard to its provider, once."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, lease_seconds, log_about
from nightmail.payloads import ShardTask
from nightmail.steps.submit_shard import submit_shard


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = ShardTask.model_validate(event)
    with log_about(task, context):
        return answer(submit_shard(task, wiring.courier(), lease_seconds(context)))
