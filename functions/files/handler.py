"""`/files`: create, list, retrieve and delete files, and read their contents."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from nightmail import wiring
from nightmail.api.content import Contents
from nightmail.api.files import Files
from nightmail.api.forms import parse_form
from nightmail.api.http import Api
from nightmail.api.wire import json_response

app = Api()


def _files() -> Files:
    return Files(wiring.files(), wiring.objects(), wiring.now)


@app.post("/files")
def create_file() -> Response[str]:
    form = parse_form(app.body(), app.current_event.headers.get("content-type"), "file")
    return json_response(_files().create(app.owner, form, wiring.settings().max_part_bytes))


@app.get("/files")
def list_files() -> Response[str]:
    return json_response(_files().page(app.owner, app.current_event.query_string_parameters))


@app.get("/files/<file_id>")
def retrieve_file(file_id: str) -> Response[str]:
    return json_response(_files().retrieve(app.owner, file_id))


@app.delete("/files/<file_id>")
def delete_file(file_id: str) -> Response[str]:
    return json_response(_files().delete(app.owner, file_id))


@app.get("/files/<file_id>/content")
def retrieve_content(file_id: str) -> Response[Any]:
    contents = Contents(wiring.files(), wiring.objects(), wiring.now)
    return contents.answer(app.owner, file_id, app.current_event.headers)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.answer(event, context)
