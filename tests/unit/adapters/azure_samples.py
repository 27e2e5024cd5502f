"""Azure OpenAI's own answers: OpenAI's, with what its filters say beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.unit.adapters.cases import TEXT
from tests.unit.adapters.openai_samples import (
    CALLS,
    OPENAI,
    SPOKEN,
    USAGE_CHUNK,
    answer,
    chunk,
    stream,
)

Json = dict[str, Any]
RESOURCE = "https://resource.openai.azure.com"
_SAFE = {"hate": {"filtered": False, "severity": "safe"}}
_PROMPT: Json = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}]}
_FIRST = chunk({}, choices=[], id="", created=0, model="", object="", **_PROMPT)


def _error(status: int, message: str) -> bytes:
    """What stands before the service refuses keys in an envelope of its own, and tells no types."""
    if status == 401:
        return json.dumps({"statusCode": 401, "message": message}).encode()
    return json.dumps({"error": {"code": f"{status}", "message": message}}).encode()


AZURE = replace(
    OPENAI,
    provider="azure",
    api_base=RESOURCE,
    plain=answer({"content": TEXT}, **_PROMPT),
    tools=answer({"tool_calls": CALLS}, "tool_calls", **_PROMPT),
    stream_plain=stream(_FIRST, *SPOKEN, chunk({}, "stop"), USAGE_CHUNK),
    error=_error,
)
