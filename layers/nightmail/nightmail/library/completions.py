"""The functions that call models: LiteLLM's names and parameters.

They have two forms: `completion` waits, `acompletion` is awaited. What they take beside their own
arguments: `custom_llm_provider`, `api_key`, `api_base`, `base_url` (a gateway's), `headers` and
`extra_headers`, `extra_body`, `timeout` (seconds of one try), `num_retries`, `max_retries`, `fallbacks`,
`drop_params`, `max_workers`; whatever else is given goes to the model. All raise NightmailError.
"""

from __future__ import annotations

from typing import Any, Literal, overload

from nightmail.library import calls
from nightmail.library.calls import Chunks, Models
from nightmail.library.objects import ModelResponse
from nightmail.library.options import Messages
from nightmail.library.process import awaited, blocking, process

__all__ = [
    "abatch_completion",
    "abatch_completion_models",
    "abatch_completion_models_all_responses",
    "acompletion",
    "aembedding",
    "batch_completion",
    "batch_completion_models",
    "batch_completion_models_all_responses",
    "completion",
    "embedding",
]


@overload
def completion(
    model: str, messages: Messages, *others: Any, stream: Literal[True], **given: Any
) -> Chunks: ...
@overload
def completion(
    model: str, messages: Messages, *others: Any, stream: Literal[False] | None = None, **given: Any
) -> ModelResponse: ...
def completion(
    model: str, messages: Messages, *others: Any, stream: bool | None = None, **given: Any
) -> ModelResponse | Chunks:
    """One answer of one model, or with `stream` its chunks as they come.

    Of a `model_list`, those deployments race whose `model_name` is the model's. `others` are the first of
    LiteLLM's parameters in its order: timeout, temperature, top_p, n.
    """
    return process().loop.run(calls.complete(model, messages, *others, stream=stream, **given))


@overload
async def acompletion(
    model: str, messages: Messages, *others: Any, stream: Literal[True], **given: Any
) -> Chunks: ...
@overload
async def acompletion(
    model: str, messages: Messages, *others: Any, stream: Literal[False] | None = None, **given: Any
) -> ModelResponse: ...
async def acompletion(
    model: str, messages: Messages, *others: Any, stream: bool | None = None, **given: Any
) -> ModelResponse | Chunks:
    """`completion` for any event loop."""
    return await process().loop.wait(
        calls.complete(model, messages, *others, stream=stream, **given)
    )


@overload
def batch_completion_models(
    models: Models = None,
    messages: Messages | None = None,
    *,
    stream: Literal[True],
    **given: Any,
) -> Chunks: ...
@overload
def batch_completion_models(
    models: Models = None,
    messages: Messages | None = None,
    *,
    stream: Literal[False] | None = None,
    **given: Any,
) -> ModelResponse: ...
def batch_completion_models(
    models: Models = None,
    messages: Messages | None = None,
    *,
    stream: bool | None = None,
    **given: Any,
) -> ModelResponse | Chunks:
    """One prompt to many models: the first good answer, and the other calls are cancelled.

    `deployments=[{"model": ..., "api_key": ...}, ...]` may stand in the place of `models`. With `stream`
    the first token wins. `hedge_after_ms` starts each model only so long after the one before it.
    """
    return process().loop.run(calls.race(models, messages, stream=stream, **given))


@overload
async def abatch_completion_models(
    models: Models = None,
    messages: Messages | None = None,
    *,
    stream: Literal[True],
    **given: Any,
) -> Chunks: ...
@overload
async def abatch_completion_models(
    models: Models = None,
    messages: Messages | None = None,
    *,
    stream: Literal[False] | None = None,
    **given: Any,
) -> ModelResponse: ...
async def abatch_completion_models(
    models: Models = None,
    messages: Messages | None = None,
    *,
    stream: bool | None = None,
    **given: Any,
) -> ModelResponse | Chunks:
    """`batch_completion_models` for any event loop."""
    return await process().loop.wait(calls.race(models, messages, stream=stream, **given))


batch_completion = blocking(calls.batch_completion)
abatch_completion = awaited(calls.batch_completion)
batch_completion_models_all_responses = blocking(calls.batch_completion_models_all_responses)
abatch_completion_models_all_responses = awaited(calls.batch_completion_models_all_responses)
embedding = blocking(calls.embedding)
aembedding = awaited(calls.embedding)
