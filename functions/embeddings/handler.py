"""`/embeddings`: texts as vectors."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.answers import Answers
from nightmail.api.completions import Completions
from nightmail.api.http import Api
from nightmail.invocation import answer_seconds

app = Api()


@app.post("/embeddings")
def create_embeddings() -> Response[Any]:
    body = app.prompts(wiring.settings().max_part_bytes)
    completions = Completions(wiring.caller(), answer_seconds(app.lambda_context))
    return Answers(wiring.objects()).fit(app.owner, completions.embeddings(body))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.answer(event, context)
