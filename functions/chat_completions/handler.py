"""`/chat/completions`: one model as OpenAI's endpoint; several as a race, or all their answers."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.answers import Answers
from nightmail.api.completions import Completions
from nightmail.api.http import Api
from nightmail.api.race_headers import FASTEST
from nightmail.api.streams import as_stream
from nightmail.invocation import long_answer_seconds, stream_seconds
from nightmail.runtime.streamed import StreamedAnswer

app = Api()


@app.post("/chat/completions")
def create_chat_completion() -> Response[Any]:
    body = app.prompts(wiring.settings().max_part_bytes)
    context = app.lambda_context
    seconds, stream = long_answer_seconds(context), stream_seconds(context)
    completions = Completions(wiring.caller(), seconds, stream)
    answer = completions.chat(body, fastest=app.header(FASTEST).lower() == "true")
    return Answers(wiring.objects()).fit(app.owner, answer)


def handler(event: dict[str, Any], context: Any) -> StreamedAnswer:
    return as_stream(app.answer(event, context))
