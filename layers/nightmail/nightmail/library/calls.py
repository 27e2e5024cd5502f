"""What the functions of `completions` do; all of it runs on the loop of the process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from nightmail.library.backend import Backend, Body, Item
from nightmail.library.direct import Direct
from nightmail.library.exceptions import NightmailError
from nightmail.library.failures import asking, bad_request, failures_of
from nightmail.library.gateway import Gateway
from nightmail.library.gathered import gathered
from nightmail.library.objects import (
    Batch,
    EmbeddingResponse,
    ModelResponse,
    ModelResponseStream,
)
from nightmail.library.options import Messages, Options, placed, read_options
from nightmail.library.process import process
from nightmail.library.servers import home_of
from nightmail.library.stream import Stream
from nightmail.modes.fields import take_concurrency
from nightmail.modes.prompts import is_nested, read_items

Chunks = Stream[ModelResponseStream]
Answer = ModelResponse | Chunks | NightmailError
Answers = list[Answer]
Models = Sequence[str] | str | None

# LiteLLM's order of what stands behind the messages.
_IN_ONE = ("timeout", "temperature", "top_p", "n")
_IN_MANY = [
    "functions",
    "function_call",
    "temperature",
    "top_p",
    "n",
    "stream",
    "stop",
    "max_tokens",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "user",
    "deployment_id",
    "request_timeout",
    "timeout",
    "max_workers",
]


def _open(given: Mapping[str, Any], **asked: Any) -> tuple[Backend, Options, Body]:
    """Who is asked, how, and for what."""
    options, body = read_options(given)
    body.update({name: value for name, value in asked.items() if value is not None})
    if options.timeout is not None:
        body["timeout"] = options.timeout
    if options.gateway:
        return Gateway(home_of(replace(options, timeout=None)), options), options, body
    if options.max_retries is not None:
        body.setdefault("num_retries", options.max_retries)
    return Direct(process(), options), options, body


async def complete(
    model: str, messages: Messages, *others: Any, stream: bool | None = None, **given: Any
) -> ModelResponse | Chunks:
    given = placed(_IN_ONE, others, given)
    with asking(model):
        backend, options, body = _open(given, model=model, messages=messages, stream=stream)
        _check_one(model, messages)
        is_race = options.deployments is not None or options.model_list is not None
        if stream:
            opening = backend.open_race(body) if is_race else backend.open_chat(body)
            return _stream(await opening, model)
        return ModelResponse(await (backend.race(body) if is_race else backend.chat(body)))


def _check_one(model: str, messages: Messages) -> None:
    if not isinstance(model, str) or "," in model or is_nested(messages):
        raise bad_request(
            "One model and one list of messages were expected. For several, there are "
            "batch_completion, batch_completion_models and batch_completion_models_all_responses.",
            "messages" if is_nested(messages) else "model",
        )


async def race(
    models: Models = None, messages: Messages | None = None, *, stream: bool | None, **given: Any
) -> ModelResponse | Chunks:
    with asking(models):
        backend, _, body = _open(given, models=models, messages=messages, stream=stream)
        if stream:
            return _stream(await backend.open_race(body))
        return ModelResponse(await backend.race(body))


async def batch_completion(
    model: str, messages: Messages, *others: Any, **given: Any
) -> Answers | Batch:
    """Many prompts to one model: an answer or an exception for each, in their order.

    A prompt is a list of messages, or an object `{"messages": [...]}` with parameters of its own. With
    `return_exceptions=False` the first exception is raised. With `stream` each answer is a stream that has
    begun. Through a gateway, what takes long goes on as a batch that is followed to its end, and
    `on_progress` is called with it, from another thread; a batch that was asked for (`batch_enabled`,
    or the header `Prefer: respond-async`) is the answer itself. `others` are LiteLLM's parameters in its
    order: functions, function_call, temperature, ...
    """
    given = placed(_IN_MANY, others, given)
    stream = given.pop("stream", None)
    with asking(model):
        backend, options, body = _open(given, model=model)
        if stream:
            with failures_of(model):
                concurrency = take_concurrency(body)
                prompts = [item.body for item in read_items(messages, body)]
            return _checked(await _open_all(backend, prompts, concurrency), options)
        answers = await backend.many({**body, "messages": messages})
    return answers if isinstance(answers, Batch) else _checked(map(_answer, answers), options)


async def batch_completion_models_all_responses(
    models: Models = None,
    messages: Messages | None = None,
    *,
    stream: bool | None = None,
    **given: Any,
) -> Answers:
    """One prompt to many models: an answer or an exception for each, in their order.

    `return_exceptions` and `stream` are those of `batch_completion`.
    """
    with asking(models):
        backend, options, body = _open(given, models=models, messages=messages)
        if stream:
            names = body.pop("models", ())
            bodies = [
                {**body, "model": name} for name in ([names] if isinstance(names, str) else names)
            ]
            return _checked(await _open_all(backend, bodies, max(1, len(bodies))), options)
        return _checked(map(_answer, await backend.all_responses(body)), options)


async def embedding(model: str, input: Any, **given: Any) -> EmbeddingResponse:  # noqa: A002 - OpenAI's
    """The vectors of a text, or of a list of texts."""
    with asking(model):
        backend, _, body = _open(given, model=model, input=input)
        return EmbeddingResponse(await backend.embed(body))


def _stream(chunks: AsyncGenerator[Body], model: str | None = None) -> Chunks:
    return Stream(process().loop, _as_objects(chunks, model))


async def _as_objects(
    chunks: AsyncGenerator[Body], model: str | None
) -> AsyncGenerator[ModelResponseStream]:
    """`model` is None for a race, whose winner is in the chunks."""
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                model = model or chunk.get("model")
                yield ModelResponseStream(chunk)
    except NightmailError as error:
        error.model = error.model or model
        raise


async def _open_all(
    backend: Backend, bodies: Sequence[Mapping[str, Any]], concurrency: int
) -> list[Answer]:
    """A stream for each of the bodies, or why there is none."""

    async def open_one(body: Mapping[str, Any]) -> Answer:
        model = body.get("model")
        try:
            with asking(model):
                return _stream(await backend.open_chat({**body, "stream": True}), model)
        except NightmailError as error:
            return error

    return await gathered(bodies, open_one, concurrency)


def _answer(item: Item) -> Answer:
    return item if isinstance(item, NightmailError) else ModelResponse(item)


def _checked(answers: Iterable[Answer], options: Options) -> Answers:
    found = list(answers)
    if not options.return_exceptions:
        for answer in found:
            if isinstance(answer, NightmailError):
                raise answer
    return found
