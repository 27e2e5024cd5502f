"""xAI's protocol: OpenAI's, but for its errors."""

from __future__ import annotations

from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.openai_dialect import OpenAIDialect


class XaiDialect(OpenAIDialect):
    def envelope(self, error: ApiError, request_id: str) -> Json:  # noqa: ARG002
        return {"code": error.code or error.kind, "error": error.message}
