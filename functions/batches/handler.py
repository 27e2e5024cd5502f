"""`/batches`: create, list, retrieve and cancel batches, run again what failed, and read what is there."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.batches import Batches
from nightmail.api.http import Api
from nightmail.api.outputs import Outputs
from nightmail.api.retries import Retries
from nightmail.api.wire import json_response

app = Api()


def _batches() -> Batches:
    return Batches(wiring.batches(), wiring.parts(), wiring.now, wiring.pause)


@app.post("/batches")
def create_batch() -> Response[str]:
    headers, query = app.current_event.headers, app.current_event.query_string_parameters
    created = _batches().create(
        app.owner,
        app.json_object(),
        model_hint=headers.get("x-litellm-model") or query.get("model"),
        idempotency_key=headers.get("idempotency-key"),
    )
    return json_response(created)


@app.get("/batches")
def list_batches() -> Response[str]:
    query = app.current_event.query_string_parameters
    page = _batches().page(app.owner, after=query.get("after"), limit=query.get("limit"))
    return json_response(page)


@app.get("/batches/<batch_id>")
def retrieve_batch(batch_id: str) -> Response[str]:
    return json_response(_batches().retrieve(app.owner, batch_id))


@app.post("/batches/<batch_id>/cancel")
def cancel_batch(batch_id: str) -> Response[str]:
    return json_response(_batches().cancel(app.owner, batch_id))


@app.post("/batches/<batch_id>/retry")
def retry_batch(batch_id: str) -> Response[str]:
    retries = Retries(_batches(), wiring.stores(), wiring.now)
    key = app.current_event.headers.get("idempotency-key")
    body = app.json_object() if app.body() else {}
    return json_response(retries.create(app.owner, batch_id, body, idempotency_key=key))


@app.get("/batches/<batch_id>/output")
def read_output(batch_id: str) -> Response[str]:
    query = app.current_event.query_string_parameters
    return Outputs(_batches(), wiring.stores(), wiring.now).answer(app.owner, batch_id, query)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.answer(event, context)
