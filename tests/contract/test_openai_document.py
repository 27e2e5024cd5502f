"""What the API takes and gives, against OpenAI's published documents, where they are here."""

from __future__ import annotations

import json

import httpx
from nightmail.api.openapi import api_document

from tests.contract.api_gateway import ApiGateway
from tests.contract.calls import complete_upload, create_batch, look, results
from tests.contract.life import Life
from tests.contract.oracles import (
    RELAXED,
    TRIMMED,
    OpenApiDocument,
    OwnShapes,
    json_requests,
    openai_document,
    specification,
)

RESOURCES = {"files", "uploads", "batches", "models", "chat", "embeddings"}
EXTENSIONS = {
    "GET /batches/{}/output",
    "GET /openapi.json",
    "GET /uploads/{}/urls",
    "POST /batch_completion",
    "POST /batch_completion_models",
    "POST /batch_completion_models_all_responses",
    "POST /batches/{}/retry",
}


def test_what_the_api_takes_is_what_openai_documents(
    http: httpx.Client, gateway: ApiGateway, life: Life
) -> None:
    document = openai_document(TRIMMED)
    complete_upload(http)
    after = {"anchor": "created_at", "seconds": 3600}
    create_batch(http, metadata={"customer": "7"}, output_expires_after=after)

    checked = list(json_requests(gateway.exchanges))

    assert len(checked) == 3
    for exchange in checked:
        schema = document.request_schema_of(exchange)
        assert schema
        document.check(schema, json.loads(exchange.asked.body))


def test_every_route_of_openais_document_is_served() -> None:
    """All of these resources that OpenAI documents, and our extensions."""
    documented = openai_document(RELAXED).operations
    theirs = {each for each in documented if each.split("/")[1] in RESOURCES}
    ours = OpenApiDocument(api_document("/v1"), "Error").operations

    assert ours - theirs == EXTENSIONS
    assert theirs - ours == set()


def test_result_lines_are_as_the_published_schema_has_them(http: httpx.Client, life: Life) -> None:
    schemas = json.loads(specification("batch_lines.schema.json").read_text())
    batch_id = create_batch(http)
    life.run("admin", batch_id)
    batch = look(http, batch_id)

    for name in ("output", "error"):
        for each in results(http, batch[f"{name}_file_id"]):
            OwnShapes().check({**schemas, "$ref": f"#/$defs/{name}_line"}, each)
