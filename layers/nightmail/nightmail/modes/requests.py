"""The bodies of the endpoints become requests, or InvalidRequest that names the field and its shape."""

from __future__ import annotations

from typing import Any

from nightmail.endpoints import EMBEDDINGS
from nightmail.errors import InvalidRequest
from nightmail.modes.asked import (
    ChatRequest,
    Grid,
    ManyPrompts,
    ModelRequest,
    OnePrompt,
)
from nightmail.modes.fields import (
    open_body,
    refuse_ours,
    take_concurrency,
    take_flag,
    take_hedge,
    take_stream,
    take_terms,
)
from nightmail.modes.prompts import check_prompt, check_prompts, is_nested, read_items
from nightmail.parameters import required, string, strings
from nightmail.providers.direct import JsonObject

_LONGEST_NAME = 512
_MOST_MODELS = 100
_MOST_CALLS = 10_000
_COMMA = ","


def parse_many(body: Any) -> ManyPrompts:
    """The body of POST /batch_completion: many prompts, one model."""
    left = open_body(body)
    model = _one_name(left)
    messages = required(left, "messages", "messages")
    stream = take_stream(left)
    left.pop("stream_options", None)  # no provider is asked for a stream
    terms, concurrency = take_terms(left, model), take_concurrency(left)
    refuse_ours(left)
    return ManyPrompts(model, read_items(messages, left), terms, concurrency, stream)


def parse_models(body: Any, *, fastest: bool) -> OnePrompt:
    """The body of POST /batch_completion_models (`fastest`), or of ..._all_responses."""
    left = open_body(body)
    names = _names(required(left, "models", "models"), "models")
    del left["models"]
    if left.pop("model", None) is not None:
        raise _unsupported("model", "has no effect beside 'models'")
    return _one_prompt(names, left, fastest=fastest)


def parse_chat(body: Any, *, fastest: bool = False) -> ChatRequest:
    """The body of POST /chat/completions. Each list in it is a list in the answer.

    A model's name is one model; a list of names, or names with commas between them, are many: a race
    where it is to be the `fastest` (a header says so, or `fastest_response` in the body), else all
    answers. A list of prompts in `messages` is answered by a list: of each prompt's answer, or of
    the list of its models' answers.
    """
    left = open_body(body)
    model = required(left, "model", "model")
    fastest = take_flag(left, "fastest_response") or fastest
    listed = isinstance(model, list) or (isinstance(model, str) and _COMMA in model)
    if is_nested(left.get("messages")):
        return _grid(left, fastest=fastest, listed=listed)
    if listed:
        return _one_prompt(_names(left.pop("model"), "model"), left, fastest=fastest)
    check_prompt(required(left, "messages", "messages"))
    return _one_model(left)


def parse_embeddings(body: Any) -> ModelRequest:
    """The body of POST /embeddings; `Runner.answer` answers it."""
    left = open_body(body)
    if required(left, "input", "input") in (None, "", []):
        raise InvalidRequest(
            "Invalid 'input': expected a text or a list of texts, but got nothing.",
            param="input",
            code="invalid_value",
        )
    name = _one_name(left)
    terms = take_terms(left, name)
    refuse_ours(left)
    return ModelRequest(name, left, terms, EMBEDDINGS)


def _one_model(left: JsonObject) -> ModelRequest:
    name = _one_name(left)
    terms, stream = take_terms(left, name), take_stream(left)
    refuse_ours(left)
    return ModelRequest(name, left, terms, stream=stream)


def _one_prompt(names: list[str], left: JsonObject, *, fastest: bool) -> OnePrompt:
    check_prompt(required(left, "messages", "messages"))
    terms, stream = take_terms(left, None), take_stream(left)
    hedge = take_hedge(left) if fastest else None
    refuse_ours(left)
    return OnePrompt(names, left, terms, stream, fastest, hedge)


def _grid(left: JsonObject, *, fastest: bool, listed: bool) -> Grid:
    names = _names(left["model"], "model") if listed else [_one_name(left)]
    prompts = check_prompts(left.pop("messages"))
    if fastest and listed:
        raise _unsupported("fastest_response", "takes one list of messages, not many")
    if len(prompts) * len(names) > _MOST_CALLS:
        raise InvalidRequest(
            f"'messages' has {len(prompts)} prompts for {len(names)} models: one request makes up to "
            f"{_MOST_CALLS} calls. Use the batch API (POST /batches) for more.",
            param="messages",
            code="array_above_max_length",
        )
    terms, stream = take_terms(left, None if listed else names[0]), take_stream(left)
    concurrency = take_concurrency(left)
    refuse_ours(left)
    bodies = [{**left, "messages": prompt} for prompt in prompts]
    return Grid(names, bodies, terms, concurrency, stream, not listed)


def _one_name(left: JsonObject) -> str:
    """The name in `model`; it stays in the body."""
    name = string(required(left, "model", "model"), "model", _LONGEST_NAME).strip()
    if not name:
        raise _no_name("model")
    left["model"] = name
    return name


def _names(value: Any, param: str) -> list[str]:
    """Names in a list, or with commas between them; empty ones are ignored, others may come twice."""
    if isinstance(value, str):
        value = value.split(_COMMA)
    names = [name.strip() for name in strings(value, param, _MOST_MODELS)]
    if not any(names):
        raise _no_name(param)
    return [name for name in names if name]


def _no_name(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{param}': it names no model.", param=param, code="invalid_value"
    )


def _unsupported(param: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{param}' {reason}. Leave it out.", param=param, code="unsupported_parameter"
    )
