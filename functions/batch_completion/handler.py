"""`/batch_completion`: many prompts, one model; what takes too long goes on as a batch."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.answers import Answers
from nightmail.api.batches import Batches
from nightmail.api.handover import Handover
from nightmail.api.http import Api
from nightmail.api.many_prompts import ManyPromptsApi, Patience
from nightmail.api.preferences import preferences_of
from nightmail.api.streams import as_stream
from nightmail.invocation import answer_seconds, long_answer_seconds, stream_seconds
from nightmail.runtime.streamed import StreamedAnswer

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
    context = app.lambda_context
    patience = Patience(
        answer_seconds(context), long_answer_seconds(context), stream_seconds(context)
    )
    return ManyPromptsApi(wiring.caller(), handover, patience, f"{app.base(ROUTE)}/batches")


@app.post(ROUTE)
def create_batch_completion() -> Response[Any]:
    answer = _many_prompts().create(
        app.owner,
        app.prompts(wiring.settings().max_part_bytes),
        preferences_of(app.header("prefer")),
        app.current_event.headers.get("idempotency-key"),
    )
    return Answers(wiring.objects()).fit(app.owner, answer)


def handler(event: dict[str, Any], context: Any) -> StreamedAnswer:
    return as_stream(app.answer(event, context))
