"""State FinalizeBatch: one output file, one error file, the final status."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, log_about, time_is_up
from nightmail.payloads import BatchTask
from nightmail.steps.finalize_batch import finalize_batch


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = BatchTask.model_validate(event)
    with log_about(task, context):
        return answer(finalize_batch(task, wiring.courier(), time_is_up(context)))
