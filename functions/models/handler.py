"""The Models API."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.http import Api
from nightmail.api.models import list_models, retrieve_model
from nightmail.api.wire import json_response

api = Api()


@api.get("/models")
def list_all() -> Response[str]:
    return json_response(list_models(wiring.gateway_config()))


@api.get("/models/.+")
def retrieve() -> Response[str]:
    # Names contain slashes, so the name is all that follows.
    name = unquote(api.current_event.path.partition("/models/")[2])
    return json_response(retrieve_model(wiring.gateway_config(), name))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.answer(event, context)
