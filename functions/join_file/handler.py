"""A file that came in parts becomes one object."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, time_is_up
from nightmail.payloads import StepResult
from nightmail.steps.join_file import Joiner
from nightmail.telemetry import logger


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    detail = event["detail"]
    logger.append_keys(request_id=context.aws_request_id, file_id=detail["file_id"])
    joiner = Joiner(wiring.files(), wiring.objects(), wiring.now)
    done = joiner.join(detail["owner"], detail["file_id"], time_is_up(context))
    return answer(StepResult(next=done))
