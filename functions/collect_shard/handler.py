"""State CollectShard: fetch the provider's results."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, log_about, time_is_up
from nightmail.payloads import ShardTask
from nightmail.steps.collect_shard import collect_shard


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = ShardTask.model_validate(event)
    with log_about(task, context):
        return answer(collect_shard(task, wiring.courier(), time_is_up(context)))
