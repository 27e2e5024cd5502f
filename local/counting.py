"""Count what functions ask of AWS, the CPU that they take, and the states that executions enter.

`GET /_nightmail/counts` on the emulator's port tells the counts, `DELETE` begins anew. A call is known by
the function that makes it and by its operation's name; what others call, and the emulator itself, is not
counted. CPU is that of invocations without an error, in seconds. States are those of executions and of
their maps' children alike.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from ministack.services import stepfunctions as states

from local import chaos

_KINDS = ("pass", "task", "choice", "wait", "parallel", "map")
# S3's operations by method and, where there is one, the parameter that names them.
_OF_S3 = {
    ("GET", ""): "GetObject",
    ("GET", "list-type"): "ListObjectsV2",
    ("GET", "uploads"): "ListMultipartUploads",
    ("GET", "uploadId"): "ListParts",
    ("HEAD", ""): "HeadObject",
    ("PUT", ""): "PutObject",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("POST", "delete"): "DeleteObjects",
    ("DELETE", ""): "DeleteObject",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
_COPIES = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}

_lock = threading.Lock()
_states: Counter[str] = Counter()
_calls: Counter[tuple[str, str, str]] = Counter()
_cpu_seconds: dict[str, float] = {}


def count_call(access_key: str, call: str, scope: Any) -> None:
    """A call of AWS, signed with this key: `<service> <operation>`, and the request itself."""
    function = chaos.function_with(access_key)
    if function:
        service, _, operation = call.partition(" ")
        operation = operation_of_s3(scope) if service == "s3" else operation
        with _lock:
            _calls[function, service, operation] += 1


def count_cpu(function: str, seconds: float) -> None:
    """What one invocation took."""
    with _lock:
        _cpu_seconds[function] = _cpu_seconds.get(function, 0) + seconds


def report() -> dict[str, Any]:
    with _lock:
        calls = [
            {"function": function, "service": service, "operation": operation, "count": count}
            for (function, service, operation), count in sorted(_calls.items())
        ]
        return {"states": dict(_states), "calls": calls, "cpu_seconds": dict(_cpu_seconds)}


def forget() -> None:
    with _lock:
        _states.clear()
        _calls.clear()
        _cpu_seconds.clear()


def apply() -> None:
    """Count the states of the emulator in this process, over what is mended of it."""
    for kind in _KINDS:
        name = f"_execute_{kind}"
        setattr(states, name, _counted(kind.title(), getattr(states, name)))
    states._fail_state_error = _counted("Fail", states._fail_state_error)  # noqa: SLF001
    # A Succeed has no function of its own: its input path is the first thing that is asked of it.
    states._apply_input_path = _counted_succeed(states._apply_input_path)  # noqa: SLF001


def operation_of_s3(scope: Any) -> str:
    """The name of the operation that a request (ASGI) is, as S3's API reference has it."""
    method: str = scope["method"]
    query = scope["query_string"].decode("latin-1")
    names = {pair.partition("=")[0] for pair in query.split("&")}
    kind = next((name for verb, name in _OF_S3 if verb == method and name in names), "")
    operation = _OF_S3.get((method, kind), method)
    is_copy = any(name == b"x-amz-copy-source" for name, _ in scope["headers"])
    return _COPIES.get(operation, operation) if is_copy else operation


def _counted(kind: str, run: Callable[..., Any]) -> Callable[..., Any]:
    def run_state(*arguments: Any) -> Any:
        _enter(kind)
        return run(*arguments)

    return run_state


def _counted_succeed(input_of: Callable[..., Any]) -> Callable[..., Any]:
    def input_of_state(definition: dict[str, Any], *rest: Any) -> Any:
        if definition.get("Type") == "Succeed":
            _enter("Succeed")
        return input_of(definition, *rest)

    return input_of_state


def _enter(kind: str) -> None:
    with _lock:
        _states[kind] += 1
