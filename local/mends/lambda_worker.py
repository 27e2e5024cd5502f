"""Functions run in AWS's own runtime client, or in what their exec wrapper starts in its place.

ministack runs Python functions by a script of its own, with its own packages beside them: a missing
dependency goes unnoticed, and every error is a `Runtime.HandlerError` that ends the process. Here
each execution environment is `python -m awslambdaric`, spoken to by the Runtime API.

Where a function writes its answer as a stream, the listener of the invocation hears it as it is written.

Replaces: core.lambda_runtime._worker_class_for; services.lambda_svc._execute_function_warm,
_emit_lambda_logs, _probe_peak_memory_mb. Extends core.lambda_runtime.ProvidedWorker: _build_handler_class,
_drain_stderr_bounded, _spawn, _teardown, invoke; it reads _proc, _server, _init_error, _current_request_id and
calls _record_result.
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

import base64
import json
import logging
import os
import queue
import shutil
import signal
import threading
import time
from email.message import Message
from http.client import parse_headers
from pathlib import Path
from typing import Any, BinaryIO

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local import chaos, counting
from local.mends.lambda_environment import access_key_of, scratch
from local.mends.response_stream import BrokenStream, LiveStream, listener, read_chunks

RESPONSE_LIMIT = 6_291_556
"""Bytes of one answer of a function: 6 MB, and 100 bytes more than a request may have."""

logger = logging.getLogger("functions")
"""What functions print, line by line, beside CloudWatch Logs."""

_emit_logs = lambda_svc._emit_lambda_logs
_worker_class_before = lambda_runtime._worker_class_for
_invocation = threading.local()
# On AWS each environment starts on processors of its own. A hundred that share two would all be late.
_starting = threading.BoundedSemaphore(os.cpu_count() or 1)


class RuntimeClientWorker(lambda_runtime.ProvidedWorker):  # type: ignore[misc]
    """One execution environment: a process of the runtime client, and the Runtime API it polls."""

    func_name: str
    event: Any = None
    listener: LiveStream | None = None
    plan: chaos.Plan | None = None
    peak_memory_mb = 0
    cpu_seconds = 0.0
    exit_status: int | None = None

    @property
    def access_key(self) -> str:
        return access_key_of(self._server.server_address[1]) if self._server else ""

    def invoke(
        self,
        event: Any,
        request_id: str,
        *,
        trace_id: str | None = None,
        invoked_function_arn: str | None = None,
    ) -> dict[str, Any]:
        self.event = event
        self.listener = listener.get()
        self.cpu_seconds = _cpu_seconds(self._proc)
        chaos.begin(self)
        try:
            result: dict[str, Any] = super().invoke(
                event, request_id, trace_id=trace_id, invoked_function_arn=invoked_function_arn
            )
        except RuntimeError:
            result = self._initialisation_failure()
        finally:
            chaos.end(self)
        _invocation.peak_memory_mb = self.peak_memory_mb
        return self._as_aws_says_it(result, request_id)

    def hear(self, request_id: str, piece: bytes) -> None:
        """Tell the listener what the invocation has written, if it is the one that runs."""
        if self.listener is not None and request_id == self._current_request_id:
            self.listener.write(piece)

    def kill_process(self) -> None:
        """End the function's process as the kernel would: no handler, no `finally` runs."""
        process = self._proc
        if process is not None:
            process.kill()
            process.wait()

    def is_dead(self) -> bool:
        process = self._proc
        return process is None or process.poll() is not None

    def weigh(self) -> None:
        """Note the CPU and the memory that the process has needed; too much memory ends it."""
        counting.count_cpu(self.func_name, _cpu_seconds(self._proc) - self.cpu_seconds)
        self.peak_memory_mb = _peak_memory_mb(self._proc)
        if self.peak_memory_mb > int(self.config.get("MemorySize", 128)):
            self.kill_process()

    def _spawn(self, init_timeout: float | None = None) -> None:
        with _starting:
            super()._spawn(init_timeout)

    def _initialisation_failure(self) -> dict[str, Any]:
        error = self._init_error
        if not isinstance(error, dict):
            error = {"errorType": "Runtime.ExitError", "errorMessage": ""}
        return {"status": "error", "error_payload": error, "log": self._drain_stderr()}

    def _as_aws_says_it(self, result: dict[str, Any], request_id: str) -> dict[str, Any]:
        payload = result.get("error_payload")
        if not isinstance(payload, dict):
            return result
        kind = payload.get("errorType")
        if kind == "Runtime.ExitError":
            payload["errorMessage"] = f"RequestId: {request_id} Error: {self._reason_of_exit()}"
        if kind == "Sandbox.Timedout":
            payload["errorMessage"] = f"RequestId: {request_id} Error: {payload['errorMessage']}"
        return result

    def _reason_of_exit(self) -> str:
        if not self.exit_status:
            return "Runtime exited without providing a reason"
        if self.exit_status == -signal.SIGKILL:
            return "Runtime exited with error: signal: killed"
        return f"Runtime exited with error: exit status {abs(self.exit_status)}"

    def _build_handler_class(self, generation: int, pending: queue.Queue[Any]) -> type:
        stock = super()._build_handler_class(generation, pending)
        return type("Api", (RuntimeApi, stock), {"worker": self, "generation": generation})

    def _drain_stderr_bounded(self, *_: Any, **__: Any) -> str:
        # A line written before the answer is in the pipe by now; the pump thread needs a moment.
        time.sleep(0.002)
        lines: str = self._drain_stderr()
        return lines

    def _teardown(self) -> None:
        if self._proc is not None:
            self.exit_status = self._proc.poll()
        port = self._server.server_address[1] if self._server is not None else None
        super()._teardown()
        if port is not None:
            shutil.rmtree(scratch(port), ignore_errors=True)


class RuntimeApi:
    """The Runtime API of one environment, over the emulator's: what AWS checks, streams, and test kills."""

    disable_nagle_algorithm = True
    worker: RuntimeClientWorker
    generation: int
    path: str
    headers: dict[str, str]
    rfile: BinaryIO
    _body: bytes

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        super().do_GET()  # type: ignore[misc]
        chaos.invocation_begun(self.worker.plan)

    def do_POST(self) -> None:  # noqa: N802
        is_stream = self.headers.get("Lambda-Runtime-Function-Response-Mode") == "streaming"
        self._body = self._read_stream() if is_stream else super()._read_body()  # type: ignore[misc]
        if self.path.endswith("/response"):
            self.worker.weigh()
            chaos.invocation_ends(self.worker.plan)
        # What a dead process has said last does not count.
        if self.worker.is_dead():
            return
        if self.path.endswith("/response") and not is_stream and len(self._body) > RESPONSE_LIMIT:
            self._refuse(len(self._body))
        else:
            super().do_POST()  # type: ignore[misc]

    def _read_body(self) -> bytes:
        return self._body

    def _read_stream(self) -> bytes:
        """All that the function writes, told as it comes; its error, where it ends with one.

        https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
        """
        written = []
        try:
            for chunk in read_chunks(self.rfile):
                written.append(chunk)
                self.worker.hear(self._request_id, chunk)
        except (BrokenStream, OSError):
            return self._fail({"errorType": "Runtime.TruncatedResponse", "errorMessage": ""})
        trailers = parse_headers(self.rfile)
        if "Lambda-Runtime-Function-Error-Type" in trailers:
            return self._fail(_error_of(trailers))
        return b"".join(written)

    def _fail(self, error: dict[str, Any]) -> bytes:
        """What began as a response is an error."""
        self.path = self.path.removesuffix("/response") + "/error"
        return json.dumps(error).encode()

    def _refuse(self, size: int) -> None:
        error = {
            "errorType": "Function.ResponseSizeTooLarge",
            "errorMessage": f"Response payload size ({size} bytes) exceeded maximum allowed "
            f"payload size ({RESPONSE_LIMIT} bytes).",
        }
        # The runtime client does not survive the refusal; nobody may be handed to a dying one.
        self.worker.kill_process()
        self.worker._record_result(self.generation, self._request_id, "error", error)

    @property
    def _request_id(self) -> str:
        return self.path.split("/")[-2]


def _error_of(trailers: Message) -> dict[str, Any]:
    """The error that a stream ended with."""
    body = base64.b64decode(trailers.get("Lambda-Runtime-Function-Error-Body", ""))
    told: dict[str, Any] = json.loads(body or b"{}")
    return {"errorType": trailers["Lambda-Runtime-Function-Error-Type"], "errorMessage": "", **told}


def initialise(name: str) -> str | None:
    """Start a process of this function, to be used by its first invocation.

    Returns why it does not start, as the function's caller would be told; None if it does.
    """
    function, config, _ = lambda_svc._get_func_record_for_ref(name)
    if function is None:
        return f"There is no function {name}"
    error: str | None = lambda_svc._run_with_function_config_scope(config, _initialise, function)
    return error


def _initialise(function: dict[str, Any]) -> str | None:
    config = function["config"]
    worker, _ = lambda_runtime.acquire_worker(
        config["FunctionName"], config, function["code_zip"], qualifier=config["Version"]
    )
    try:
        lambda_runtime.ensure_spawned(worker)
    except RuntimeError as error:
        told = worker._init_error
        return str(told["errorMessage"] if isinstance(told, dict) else error)
    finally:
        lambda_runtime.release_worker(worker)
    return None


def _peak_memory_mb(process: Any) -> int:
    """The most memory the process has held, in MB; 0 where the kernel does not tell."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (OSError, AttributeError):
        return 0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) // 1024 if peaks else 0


def _cpu_seconds(process: Any) -> float:
    """What the process has taken since it began; 0 where the kernel does not tell."""
    try:
        status = Path(f"/proc/{process.pid}/stat").read_text()
    except (OSError, AttributeError):
        return 0
    in_user_mode, in_kernel_mode = status.rpartition(")")[2].split()[11:13]
    return (int(in_user_mode) + int(in_kernel_mode)) / os.sysconf("SC_CLK_TCK")


def _log(function: dict[str, Any], request_id: str, text: str, *rest: Any, **options: Any) -> None:
    for line in text.splitlines():
        logger.info("%s %s", function["config"]["FunctionName"], line)
    _emit_logs(function, request_id, text, *rest, **options)


def _worker_class(config: dict[str, Any]) -> Any:
    if str(config.get("Runtime", "")).startswith("python"):
        return RuntimeClientWorker
    return _worker_class_before(config)


def apply() -> None:
    lambda_runtime._worker_class_for = _worker_class
    lambda_svc._execute_function_warm = lambda_svc._execute_function_provided_warm
    lambda_svc._emit_lambda_logs = _log
    lambda_svc._probe_peak_memory_mb = lambda _: getattr(_invocation, "peak_memory_mb", 0)
