"""A removed file's objects go too."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context
from nightmail.steps.erase_file import Eraser
from nightmail.telemetry import logger


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    detail = event["detail"]
    logger.append_keys(request_id=context.aws_request_id, file_id=detail["file_id"])
    eraser = Eraser(wiring.files(), wiring.objects(), wiring.now)
    return {"erased": eraser.erase(detail["owner"], detail["file_id"], detail["keys"])}
