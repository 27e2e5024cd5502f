"""What a function learns from its invocation: how long it may work, and whose work its log is about."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from nightmail.payloads import BatchTask, StepResult
from nightmail.telemetry import logger

# A step stops early enough to save what it has: a quarter of its time, at most a minute.
_SAVING_SHARE = 0.25
_SAVING_SECONDS_AT_MOST = 60.0
# Meanwhile calls that are in flight may end; this is left for the last of them.
_LAST_SAVE_SHARE = 0.1
_LAST_SAVE_SECONDS_AT_MOST = 20.0
# The design's limits for an answer in one piece, by API Gateway's: an integration that does not stream
# ends at 29 seconds, a connection of one that does after 300 without a byte. And what is kept back to write it.
_ANSWER_SECONDS_AT_MOST = 25.0
_LONG_ANSWER_SECONDS_AT_MOST = 290.0
_ANSWERING_SECONDS = 3.0
# AWS ends a function at its time-out; whoever holds a lease is gone a little later.
_AFTERLIFE_SECONDS = 5


class Context(Protocol):
    """What the functions use of AWS's context object."""

    @property
    def aws_request_id(self) -> str: ...

    def get_remaining_time_in_millis(self) -> int: ...


def time_is_up(context: Context) -> Callable[[], bool]:
    """A question to ask now and then: whether it is time to save and stop."""
    seconds = context.get_remaining_time_in_millis() / 1000
    until = time.monotonic() + seconds - min(_SAVING_SHARE * seconds, _SAVING_SECONDS_AT_MOST)
    return lambda: time.monotonic() >= until


def work_seconds(context: Context) -> float:
    """How long calls may be in flight, so that there is time to save what came of them."""
    seconds = context.get_remaining_time_in_millis() / 1000
    return seconds - min(_LAST_SAVE_SHARE * seconds, _LAST_SAVE_SECONDS_AT_MOST)


def answer_seconds(context: Context) -> float:
    """How long a function of the API may take over its answer."""
    return min(_ANSWER_SECONDS_AT_MOST, stream_seconds(context))


def long_answer_seconds(context: Context) -> float:
    """The same for an answer in one piece where there could be a stream."""
    return min(_LONG_ANSWER_SECONDS_AT_MOST, stream_seconds(context))


def stream_seconds(context: Context) -> float:
    """How long a stream may go on, so that it can still be told why it ends."""
    return max(0.0, context.get_remaining_time_in_millis() / 1000 - _ANSWERING_SECONDS)


def lease_seconds(context: Context) -> int:
    """How long a lease has to last so that it outlives this invocation."""
    return context.get_remaining_time_in_millis() // 1000 + _AFTERLIFE_SECONDS


@contextmanager
def log_about(task: BatchTask, context: Context) -> Iterator[None]:
    """Every line of the log carries these ids, also that of an error that ends the invocation."""
    logger.append_keys(
        request_id=context.aws_request_id,
        owner=task.owner,
        batch_id=task.batch_id,
        shard=getattr(task, "shard", None),
        chunk=getattr(task, "chunk", None),
    )
    try:
        yield
    except Exception:
        logger.exception("step broken")
        raise


def answer(result: StepResult) -> dict[str, object]:
    """What the state machine gets."""
    logger.info("step done", extra={"next": result.next, "wait_seconds": result.wait_seconds})
    return result.model_dump(mode="json")
