"""`/batch_completion_models_all_responses`: one prompt, many models: every answer."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.answers import Answers
from nightmail.api.completions import Completions
from nightmail.api.http import Api
from nightmail.api.streams import as_stream
from nightmail.invocation import long_answer_seconds, stream_seconds
from nightmail.runtime.streamed import StreamedAnswer

app = Api()


@app.post("/batch_completion_models_all_responses")
def create_batch_completion_models_all_responses() -> Response[Any]:
    body = app.prompts(wiring.settings().max_part_bytes)
    context = app.lambda_context
    seconds, stream = long_answer_seconds(context), stream_seconds(context)
    completions = Completions(wiring.caller(), seconds, stream)
    return Answers(wiring.objects()).fit(app.owner, completions.all_responses(body))


def handler(event: dict[str, Any], context: Any) -> StreamedAnswer:
    return as_stream(app.answer(event, context))
