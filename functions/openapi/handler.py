"""The API's own document; it needs no key."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail.api.http import Api
from nightmail.api.openapi import api_document
from nightmail.api.wire import json_response

PATH = "/openapi.json"

app = Api()


@app.get(PATH)
def retrieve_document() -> Response[str]:
    return json_response(api_document(app.base(PATH) or "/"))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.answer(event, context)
