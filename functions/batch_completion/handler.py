"""`/batch_completion`: many prompts, one model; what takes too long goes on as a batch."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.answers import Answers
from nightmail.api.batches import Batches
from nightmail.api.handover import Handover
from nightmail.api.http import Api
from nightmail.api.many_prompts import ManyPromptsApi
from nightmail.api.preferences import preferences_of
from nightmail.api.streams import as_stream
from nightmail.invocation import answer_seconds

ROUTE = "/batch_completion"

app = Api()


def _many_prompts() -> ManyPromptsApi:
    settings = wiring.settings()
    handover = Handover(
        Batches(wiring.batches(), wiring.parts(), wiring.now),
        wiring.files(),
        wiring.objects(),
        wiring.now,
        most_lines=settings.max_batch_lines,
        most_bytes=settings.max_batch_bytes,
    )
    seconds = answer_seconds(app.lambda_context)
    return ManyPromptsApi(wiring.caller(), handover, seconds, f"{app.base(ROUTE)}/batches")


@app.post(ROUTE)
def create_batch_completion() -> Response[str]:
    answer = _many_prompts().create(
        app.owner,
        app.prompts(wiring.settings().max_part_bytes),
        preferences_of(app.header("prefer")),
        app.current_event.headers.get("idempotency-key"),
    )
    return Answers(wiring.objects()).fit(app.owner, answer)


def handler(event: dict[str, Any], context: Any) -> bytes:
    return as_stream(app.answer(event, context))
