"""What the batch APIs have in common whose batches are made of an uploaded file, as OpenAI's are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from local.simulator.behaviour import Facts
from local.simulator.errors import ApiError
from local.simulator.files import File
from local.simulator.openai_batches import OpenAIBatch
from local.simulator.openai_work import OpenAIWork
from local.simulator.requests import json_response, simulator_of
from local.simulator.validation import Limits

ABatch = TypeVar("ABatch", bound=OpenAIBatch)


def new_batch(
    request: Request, kind: type[ABatch], file_id: str, *, model: str | None = None, **more: Any
) -> ABatch:
    """A batch of the call's provider, with the faults that wait for one of its model.

    That is the file's where it is not said; `more` is what else a batch of this `kind` is made of.
    """
    simulator = simulator_of(request)
    file = simulator.files.find(file_id)
    request.state.call.model = model or _first_model(file)
    facts: Facts = replace(request.state.facts, model=request.state.call.model)
    return kind(
        provider=facts.provider,
        key=facts.key,
        input_file_id=file_id,
        input_file=file,
        window_seconds=simulator.settings.window_seconds,
        faults=simulator.behaviour.strike_batch(facts),
        **more,
    )


def _first_model(file: File | None) -> str | None:
    """The model of a file's first line, by which a fault may choose this batch."""
    if file is None:
        return None
    with file.path.open("rb") as lines:
        try:
            return str(orjson.loads(lines.readline())["body"]["model"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None


def start(request: Request, batch: OpenAIBatch, most_bytes: int | None = None) -> None:
    simulator = simulator_of(request)
    settings = simulator.settings
    work = OpenAIWork(
        batch,
        batches=simulator.batches,
        files=simulator.files,
        executor=simulator.executor(batch.provider),
        limits=Limits(settings.max_lines, most_bytes or settings.max_bytes),
    )
    simulator.start(batch, work)


def shown(request: Request, kind: type[ABatch]) -> list[ABatch]:
    """The batches that a call may see, the newest first."""
    batches = simulator_of(request).batches.all()[::-1]
    return [batch for batch in batches if isinstance(batch, kind) and _is_shown(batch, request)]


def _is_shown(batch: OpenAIBatch, request: Request) -> bool:
    is_own = batch.key == request.state.key or not batch.is_of_a_key
    return is_own and batch.provider == request.state.call.provider and batch.is_there()


def batch_of(request: Request, kind: type[ABatch], missing: ApiError) -> ABatch:
    """The one that the path names. Raises `missing` where the call may see none."""
    batch = simulator_of(request).batches.find(request.path_params["batch_id"])
    if not isinstance(batch, kind) or not _is_shown(batch, request):
        raise missing
    return batch


def look_at(batch: OpenAIBatch, missing: ApiError) -> Response:
    """How far a batch is. Raises `missing` where this is one look too many."""
    seen = batch.look()
    if not batch.is_there():
        raise missing
    return json_response(seen)
