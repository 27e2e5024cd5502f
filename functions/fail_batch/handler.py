"""State FailBatch: record why, deliver what there is. EventBridge runs it for broken executions too."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.errors import StorageUnavailable
from nightmail.invocation import Context, answer, log_about, time_is_up
from nightmail.payloads import BatchTask, Next, StepResult
from nightmail.steps.fail_batch import fail_batch


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    if "detail" in event:
        return _broken_execution(event["detail"], context)
    return answer(_fail(BatchTask.model_validate(event), context))


def _broken_execution(detail: dict[str, Any], context: Context) -> dict[str, object]:
    """EventBridge tells of an execution; no state machine asks again, but Lambda's retry does."""
    task = BatchTask.model_validate_json(detail["input"])
    if detail["name"] != task.batch_id:  # a map's child: its parent goes on
        return answer(StepResult(next=Next.DONE))
    result = _fail(task, context)
    if result.next is Next.MORE:
        raise StorageUnavailable("There is more to write.")
    return answer(result)


def _fail(task: BatchTask, context: Context) -> StepResult:
    with log_about(task, context):
        return fail_batch(task, wiring.courier(), time_is_up(context))
