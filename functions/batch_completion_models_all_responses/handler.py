"""`/batch_completion_models_all_responses`: one prompt, many models: every answer."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.answers import Answers
from nightmail.api.completions import Completions
from nightmail.api.http import Api
from nightmail.api.streams import as_stream
from nightmail.invocation import answer_seconds

app = Api()


@app.post("/batch_completion_models_all_responses")
def create_batch_completion_models_all_responses() -> Response[str]:
    body = app.prompts(wiring.settings().max_part_bytes)
    completions = Completions(wiring.caller(), answer_seconds(app.lambda_context))
    return Answers(wiring.objects()).fit(app.owner, completions.all_responses(body))


def handler(event: dict[str, Any], context: Any) -> bytes:
    return as_stream(app.answer(event, context))
