"""One invocation after another, as long as the environment lives."""

from __future__ import annotations

import json
import logging
import os
from contextlib import closing
from typing import Any, NoReturn

from nightmail.runtime.api import Invocation, RuntimeApi, RuntimeApiError
from nightmail.runtime.context import LambdaContext
from nightmail.runtime.faults import Fault, failure_of
from nightmail.runtime.handler import Handler, load_handler
from nightmail.runtime.logs import Log
from nightmail.runtime.streamed import StreamedAnswer

_TRACE_ID = "_X_AMZN_TRACE_ID"  # where X-Ray's and AWS's libraries look
_logger = logging.getLogger(__name__)


def serve(api: RuntimeApi, log: Log, handler_name: str) -> NoReturn:
    """Load the handler and run it for every event.

    Raises SystemExit where it can't be loaded, RuntimeApiError where Lambda is gone, and what ends a
    process anywhere else.
    """
    try:
        handler = load_handler(handler_name)
    except Exception as error:
        failure = failure_of(error)
        log.tell(failure)
        api.fail_start(failure)
        raise SystemExit(1) from error
    while True:
        _serve(api, log, handler)


def _serve(api: RuntimeApi, log: Log, handler: Handler) -> None:
    invocation = api.next()
    log.request_id = invocation.id
    _trace(invocation)
    try:
        answer = handler(_event_of(invocation), LambdaContext(invocation.headers, log.say))
        content = b"" if isinstance(answer, StreamedAnswer) else _to_json(answer)
    except Exception as error:  # noqa: BLE001 - whatever the function's code raises is Lambda's to know
        failure = failure_of(error)
        log.tell(failure)
        api.fail(invocation.id, failure)
        return
    if isinstance(answer, StreamedAnswer):
        _stream(api, log, invocation.id, answer)
    else:
        api.answer(invocation.id, content)


def _stream(api: RuntimeApi, log: Log, invocation_id: str, answer: StreamedAnswer) -> None:
    with closing(answer.body):
        try:
            _write(api, log, invocation_id, answer)
        except RuntimeApiError as error:
            # Lambda has given this answer up; whether it has more events is the next request's to learn.
            _logger.warning("The answer could not be delivered: %s", error)
        except BaseException:
            api.close()
            raise


def _write(api: RuntimeApi, log: Log, invocation_id: str, answer: StreamedAnswer) -> None:
    stream = api.stream(invocation_id, answer.status, answer.headers)
    try:
        for piece in answer.body:
            stream.write(piece)
    except RuntimeApiError:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        failure = failure_of(error)
        log.tell(failure)
        stream.fail(failure)
    else:
        stream.end()


def _trace(invocation: Invocation) -> None:
    trace_id = invocation.headers.get("Lambda-Runtime-Trace-Id")
    if trace_id is None:
        os.environ.pop(_TRACE_ID, None)
    else:
        os.environ[_TRACE_ID] = trace_id


def _event_of(invocation: Invocation) -> Any:
    try:
        return json.loads(invocation.body)
    except ValueError as error:
        message = f"Unable to unmarshal input: {error}"
        raise Fault("Runtime.UnmarshalError", message) from error


def _to_json(answer: Any) -> bytes:
    try:
        return json.dumps(answer, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        message = f"Unable to marshal response: {error}"
        raise Fault("Runtime.MarshalError", message) from error
