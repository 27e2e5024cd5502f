"""A function's answer in the form in which API Gateway takes a streamed one.

JSON with status and headers, eight zero bytes, the body (Amazon API Gateway developer guide, Lambda
proxy integration with payload response streaming). Lambda's own runtime client sends bytes on as they
are, so a function behind response streaming answers so in one piece.
"""

from __future__ import annotations

from typing import Any

import orjson

_DELIMITER = bytes(8)


def as_stream(answer: dict[str, Any]) -> bytes:
    """The whole stream of a proxy integration's answer whose body is text."""
    head = {name: answer[name] for name in ("statusCode", "multiValueHeaders")}
    return orjson.dumps(head) + _DELIMITER + (answer["body"] or "").encode()
