"""The endpoints that a line of a batch may ask, as OpenAI writes them."""

from __future__ import annotations

CHAT = "/v1/chat/completions"

ENDPOINTS = (
    CHAT,
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/moderations",
)
