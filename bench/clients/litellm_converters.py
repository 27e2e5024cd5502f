"""What LiteLLM's transformation of a provider does for one call, beside sending it.

The steps are those of its HTTP handler (`llms/custom_httpx/llm_http_handler.py`) without the logging; a
stream is read by the provider's own iterator, without the wrapper that LiteLLM puts around it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
import litellm
from litellm.litellm_core_utils.litellm_logging import Logging
from litellm.llms.anthropic.chat.handler import ModelResponseIterator as AnthropicIterator
from litellm.llms.bedrock.chat.invoke_handler import AWSEventStreamDecoder
from litellm.llms.vertex_ai.gemini.transformation import transform_request_body
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (
    ModelResponseIterator as GeminiIterator,
)
from litellm.utils import ProviderConfigManager, get_optional_params

from bench.clients.exchanges import Exchange, exchange_at
from bench.clients.prompts import KEY

_OK = 200


def request(path: str) -> None:
    """OpenAI's request as the provider's: URL, headers, bytes."""
    exchange = exchange_at(path)
    config = _config(path)
    optional = get_optional_params(
        model=exchange.model,
        custom_llm_provider=exchange.provider,
        messages=exchange.messages,
        **exchange.parameters,
    )
    asked = {"model": exchange.model, "optional_params": optional, "litellm_params": {}}
    place = {"api_base": exchange.base, "api_key": KEY}
    headers = config.validate_environment(headers={}, messages=exchange.messages, **asked, **place)
    if exchange.provider == "gemini":  # which makes its URL with the connection
        body = transform_request_body(
            messages=exchange.messages,
            custom_llm_provider=exchange.provider,
            cached_content=None,
            **asked,
        )
    else:
        config.get_complete_url(stream=False, **asked, **place)
        body = config.transform_request(messages=exchange.messages, headers=headers, **asked)
    assert json.dumps(body)


def answer(path: str) -> None:
    """The provider's bytes as LiteLLM's ModelResponse."""
    exchange = exchange_at(path)
    whole = httpx.Response(
        _OK, content=exchange.answer, request=httpx.Request("POST", exchange.base)
    )
    answered = _config(path).transform_response(
        model=exchange.model,
        raw_response=whole,
        model_response=litellm.ModelResponse(),
        logging_obj=_logging(path),
        request_data={},
        messages=exchange.messages,
        optional_params={},
        litellm_params={},
        encoding=None,
        api_key=KEY,
        json_mode=False,
    )
    assert answered.choices[0].message.content


def stream(path: str) -> None:
    """The provider's events as LiteLLM's chunks."""
    exchange = exchange_at(path)
    assert sum(1 for _ in _chunks(path, exchange)) >= exchange.words


def _chunks(path: str, exchange: Exchange) -> Any:
    if exchange.provider == "bedrock":
        return AWSEventStreamDecoder(model=exchange.model).iter_bytes(iter(exchange.pieces))
    lines = httpx.Response(_OK, content=iter(exchange.pieces)).iter_lines()
    if exchange.provider == "anthropic":
        return AnthropicIterator(lines, sync_stream=True)
    if exchange.provider == "gemini":
        return GeminiIterator(lines, sync_stream=True, logging_obj=_logging(path))
    return _config(path).get_model_response_iterator(streaming_response=lines, sync_stream=True)


@cache
def _config(path: str) -> Any:
    exchange = exchange_at(path)
    return ProviderConfigManager.get_provider_chat_config(
        exchange.model, litellm.LlmProviders(exchange.provider)
    )


@cache
def _logging(path: str) -> Logging:
    exchange = exchange_at(path)
    logging = Logging(
        model=exchange.model,
        messages=exchange.messages,
        stream=False,
        call_type="completion",
        start_time=datetime.now(UTC),
        litellm_call_id="bench",
        function_id="bench",
    )
    logging.update_environment_variables(litellm_params={}, optional_params={})
    return logging
