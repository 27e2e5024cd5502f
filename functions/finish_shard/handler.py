"""State FinishShard: call the lines that a shard still owes."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, log_about, time_is_up, work_seconds
from nightmail.payloads import ShardTask
from nightmail.steps.finish_shard import finish_shard
from nightmail.steps.run_chunk import WorkTime


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = ShardTask.model_validate(event)
    with log_about(task, context):
        time = WorkTime(time_is_up(context), work_seconds(context))
        return answer(finish_shard(task, wiring.worker(), time))
