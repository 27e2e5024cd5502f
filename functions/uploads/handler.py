"""`/uploads`: big files in parts, through the gateway or straight to S3."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.forms import parse_form
from nightmail.api.http import Api
from nightmail.api.uploads import Uploads
from nightmail.api.wire import json_response

app = Api()


def _uploads() -> Uploads:
    return Uploads(wiring.uploads(), wiring.files(), wiring.objects(), wiring.now)


@app.post("/uploads")
def create_upload() -> Response[str]:
    most_bytes = wiring.settings().max_upload_bytes
    return json_response(_uploads().create(app.owner, app.json_object(), most_bytes))


@app.post("/uploads/<upload_id>/parts")
def add_part(upload_id: str) -> Response[str]:
    form = parse_form(app.body(), app.current_event.headers.get("content-type"), "data")
    most_bytes = wiring.settings().max_part_bytes
    return json_response(_uploads().add_part(app.owner, upload_id, form, most_bytes))


@app.get("/uploads/<upload_id>/urls")
def list_part_urls(upload_id: str) -> Response[str]:
    query = app.current_event.query_string_parameters
    return json_response(_uploads().part_urls(app.owner, upload_id, query))


@app.post("/uploads/<upload_id>/complete")
def complete_upload(upload_id: str) -> Response[str]:
    return json_response(_uploads().complete(app.owner, upload_id, app.json_object()))


@app.post("/uploads/<upload_id>/cancel")
def cancel_upload(upload_id: str) -> Response[str]:
    return json_response(_uploads().cancel(app.owner, upload_id))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.answer(event, context)
