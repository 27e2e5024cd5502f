"""State PlanBatch: check every line, cut the file into shards."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, log_about, time_is_up
from nightmail.payloads import BatchTask
from nightmail.steps.plan_batch import plan_batch


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = BatchTask.model_validate(event)
    with log_about(task, context):
        return answer(plan_batch(task, wiring.planner(), wiring.now, time_is_up(context)))
