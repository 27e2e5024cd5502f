"""How the suite's tests ask an adapter: an answer read, a stream read, a request as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from nightmail.errors import ProviderError
from nightmail.providers.direct import DirectProvider, HttpAnswer, HttpRequest, JsonObject

from tests.unit.adapters.cases import CHAT, QUESTION, AdapterSamples

BODY: Mapping[str, Any] = {"model": "any", "messages": QUESTION}


def asked(samples: AdapterSamples, body: Mapping[str, Any], **changed: Any) -> str:
    """The provider's request for `body`, as JSON in which no text is escaped."""
    request = written(samples, body, **changed)
    return json.dumps(json.loads(request.content), ensure_ascii=False)


def written(samples: AdapterSamples, body: Mapping[str, Any], **changed: Any) -> HttpRequest:
    whole = {"model": "any", **samples.extra, **body}
    return samples.adapter(**changed).request(CHAT, whole)


def answered(
    samples: AdapterSamples,
    content: bytes,
    status: int = 200,
    body: Mapping[str, Any] = BODY,
    endpoint: str = CHAT,
    **headers: str,
) -> JsonObject:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = HttpAnswer(status, {"content-type": "application/json", **names}, content)
    return samples.adapter().answer(endpoint, body, answer)


def failure(samples: AdapterSamples, content: bytes, status: int, **headers: str) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        answered(samples, content, status, BODY, CHAT, **headers)
    return caught.value


def streamed(
    adapter: DirectProvider, pieces: Iterable[bytes], *, with_usage: bool = True
) -> list[JsonObject]:
    """The chunks of a whole stream that comes in these pieces."""
    options = {"stream_options": {"include_usage": True}} if with_usage else {}
    reader = adapter.reader({**BODY, "stream": True, **options})
    chunks = [chunk for piece in pieces for chunk in reader.feed(piece)]
    return chunks + reader.close()


def choices(chunks: Iterable[JsonObject]) -> list[JsonObject]:
    return [choice for chunk in chunks for choice in chunk["choices"]]


def text_of(chunks: Iterable[JsonObject]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in choices(chunks))
