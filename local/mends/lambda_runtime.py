"""Functions run in AWS's own runtime client, with nothing of the host around them.

ministack runs Python functions by a script of its own, in its own interpreter, with its own
packages and the host's whole environment: a missing dependency goes unnoticed and every error is a
`Runtime.HandlerError`. Here each execution environment is `python -S -m awslambdaric`, spoken to by
the Runtime API, and sees its code, its layers, the runtime and its own variables.

Replaces: core.lambda_runtime._worker_class_for; services.lambda_svc._execute_function_warm,
_provided_runtime_code_dir, _provided_worker_env, _probe_peak_memory_mb. Extends the class
core.lambda_runtime.ProvidedWorker (_build_handler_class, _drain_stderr_bounded, _teardown, invoke;
reads _proc, _server, _init_error).
"""

from __future__ import annotations

import os
import queue
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import get_region
from ministack.services import lambda_svc

from local import chaos

RESPONSE_LIMIT = 6_291_556
"""Bytes of one answer of a function: 6 MB, and 100 bytes more than a request may have."""

_invocation = threading.local()


class RuntimeClientWorker(lambda_runtime.ProvidedWorker):  # type: ignore[misc]
    """One execution environment: a process of the runtime client and the Runtime API it polls."""

    plan: chaos.Plan | None = None
    peak_memory_mb = 0
    exit_status: int | None = None

    def invoke(
        self,
        event: Any,
        request_id: str,
        *,
        trace_id: str | None = None,
        invoked_function_arn: str | None = None,
    ) -> dict[str, Any]:
        chaos.begin(self)
        try:
            result: dict[str, Any] = super().invoke(
                event, request_id, trace_id=trace_id, invoked_function_arn=invoked_function_arn
            )
        except RuntimeError:
            result = self._initialisation_failure(request_id)
        finally:
            chaos.end(self)
        _invocation.peak_memory_mb = self.peak_memory_mb
        return self._as_aws_says_it(result, request_id)

    def kill_process(self) -> None:
        """End the function's process as the kernel would: no handler, no `finally` runs."""
        process = self._proc
        if process is not None:
            process.kill()
            process.wait()

    def _initialisation_failure(self, request_id: str) -> dict[str, Any]:
        error = self._init_error
        if not isinstance(error, dict):
            error = {"errorType": "Runtime.ExitError", "errorMessage": ""}
        return {"status": "error", "error_payload": error, "log": self._drain_stderr()}

    def _as_aws_says_it(self, result: dict[str, Any], request_id: str) -> dict[str, Any]:
        payload = result.get("error_payload")
        if not isinstance(payload, dict):
            return result
        if payload.get("errorType") == "Runtime.ExitError":
            message = f"RequestId: {request_id} Error: {_reason_of_exit(self.exit_status)}"
            result["error_payload"] = payload | {"errorMessage": message}
        if payload.get("errorType") == "Sandbox.Timedout":
            message = f"RequestId: {request_id} Error: {payload['errorMessage']}"
            result["error_payload"] = payload | {"errorMessage": message}
        return result

    def _build_handler_class(self, generation: int, pending: queue.Queue[Any]) -> type:
        worker = self
        inherited: Any = super()._build_handler_class(generation, pending)

        class RuntimeApi(inherited):  # type: ignore[misc]
            disable_nagle_algorithm = True

            def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
                super().do_GET()
                chaos.invocation_begun(worker.plan)

            def do_POST(self) -> None:  # noqa: N802
                if self.path.endswith("/response"):
                    worker.peak_memory_mb = _peak_memory_mb(worker._proc)
                    chaos.invocation_ends(worker.plan)
                    if worker.is_out_of_memory():
                        worker.kill_process()
                if worker.is_killed():
                    return
                if self._is_too_large():
                    self._refuse()
                else:
                    super().do_POST()

            def _is_too_large(self) -> bool:
                length = int(self.headers.get("Content-Length", 0))
                return self.path.endswith("/response") and length > RESPONSE_LIMIT

            def _refuse(self) -> None:
                size = len(self._read_body())
                request_id = self.path.split("/")[-2]
                error = {
                    "errorType": "Function.ResponseSizeTooLarge",
                    "errorMessage": f"Response payload size ({size} bytes) exceeded maximum "
                    f"allowed payload size ({RESPONSE_LIMIT} bytes).",
                }
                worker._record_result(generation, request_id, "error", error)
                self._respond(413)

        return RuntimeApi

    def is_killed(self) -> bool:
        """Whether the process was sent SIGKILL: what it says now comes from a dead environment."""
        process = self._proc
        return process is None or process.poll() is not None

    def is_out_of_memory(self) -> bool:
        return self.peak_memory_mb > int(self.config.get("MemorySize", 128))

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
            shutil.rmtree(_scratch(port), ignore_errors=True)


def _reason_of_exit(status: int | None) -> str:
    if status is None or status == 0:
        return "Runtime exited without providing a reason"
    if status == -signal.SIGKILL:
        return "Runtime exited with error: signal: killed"
    return f"Runtime exited with error: exit status {abs(status)}"


def _peak_memory_mb(process: Any) -> int:
    """The most memory the process has held, in MB; 0 where the kernel does not tell."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (OSError, AttributeError):
        return 0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) // 1024 if peaks else 0


def _scratch(port: int) -> Path:
    """The environment's own /tmp: gone with it, as on AWS."""
    return Path(tempfile.gettempdir()) / "scratch" / str(port)


def _environment(config: dict[str, Any], code: str, port: int) -> dict[str, str]:
    """What a function finds in `os.environ`: its own variables and those that AWS sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    layers = [Path(folder) for folder in _layer_folders(config)]
    scratch = _scratch(port)
    scratch.mkdir(parents=True, exist_ok=True)
    name = config["FunctionName"]
    own = dict((config.get("Environment") or {}).get("Variables") or {})
    if wrapper := own.get("AWS_LAMBDA_EXEC_WRAPPER"):
        own["AWS_LAMBDA_EXEC_WRAPPER"] = _in_layers(wrapper, layers)
    credentials = lambda_runtime.execution_credentials(config)
    chaos.remember_caller(credentials["AWS_ACCESS_KEY_ID"], name)
    return {
        **own,
        **credentials,
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_REGION": get_region(),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(config.get("Version", "$LATEST")),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local-{port}",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "LAMBDA_RUNTIME_DIR": _settings["runtime"],
        "LAMBDA_TASK_ROOT": code,
        "LANG": "en_US.UTF-8",
        "PATH": os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONPATH": os.pathsep.join([code, *_packages(layers), _settings["runtime"]]),
        "TMPDIR": str(scratch),
        "TZ": ":UTC",
        "_HANDLER": config["Handler"],
    }


def _layer_folders(config: dict[str, Any]) -> list[str]:
    archives = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or []]
    return [lambda_svc._docker_extracted_dir(archive, "layer") for archive in archives if archive]


def _packages(layers: list[Path]) -> list[str]:
    return [str(layer / "python") for layer in layers if (layer / "python").is_dir()]


def _in_layers(path: str, layers: list[Path]) -> str:
    """Where a file under /opt lies here: layers are not mounted."""
    found = [layer / path.removeprefix("/opt/") for layer in layers]
    return next((str(file) for file in found if file.exists()), path)


def _code_folder(archive: bytes) -> str:
    """Unpack a function once and put the command beside it that starts AWS's runtime client."""
    folder: str = _unpack(archive)
    bootstrap = Path(folder) / "bootstrap"
    if not bootstrap.exists():
        command = shlex.join([_settings["interpreter"], "-S", "-s", "-m", "awslambdaric"])
        bootstrap.write_text(
            f'#!/bin/sh\nexec ${{AWS_LAMBDA_EXEC_WRAPPER:-}} {command} "$_HANDLER"\n'
        )
        bootstrap.chmod(0o755)
    return folder


_unpack = lambda_svc._provided_runtime_code_dir
_worker_class_before = lambda_runtime._worker_class_for
_settings: dict[str, str] = {}


def _worker_class(config: dict[str, Any]) -> Any:
    if str(config.get("Runtime", "")).startswith("python"):
        return RuntimeClientWorker
    return _worker_class_before(config)


def apply(interpreter: str = sys.executable, runtime: str = "") -> None:
    _settings.update(interpreter=interpreter, runtime=runtime)
    lambda_runtime._worker_class_for = _worker_class
    lambda_svc._execute_function_warm = lambda_svc._execute_function_provided_warm
    lambda_svc._provided_runtime_code_dir = _code_folder
    lambda_svc._provided_worker_env = _environment
    lambda_svc._probe_peak_memory_mb = lambda _: getattr(_invocation, "peak_memory_mb", 0)
