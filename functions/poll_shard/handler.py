"""State PollShard: ask the provider how far it is."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, log_about
from nightmail.payloads import ShardTask
from nightmail.steps.poll_shard import poll_shard


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = ShardTask.model_validate(event)
    with log_about(task, context):
        return answer(poll_shard(task, wiring.courier()))
