"""State RunChunk: call a chunk's lines, many at a time, and save what comes."""

from __future__ import annotations

from typing import Any

from nightmail import wiring
from nightmail.invocation import Context, answer, log_about, time_is_up, work_seconds
from nightmail.payloads import ChunkTask
from nightmail.steps.run_chunk import WorkTime, run_chunk


def handler(event: dict[str, Any], context: Context) -> dict[str, object]:
    task = ChunkTask.model_validate(event)
    with log_about(task, context):
        time = WorkTime(time_is_up(context), work_seconds(context))
        return answer(run_chunk(task, wiring.worker(), time))
