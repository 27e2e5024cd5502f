"""What surrounds a function's process: its files, its packages, its variables, and nothing else.

ministack hands a function the host's whole environment and puts layers before the code.

Replaces: services.lambda_svc._provided_runtime_code_dir, _provided_worker_env. Uses:
services.lambda_svc._resolve_layer_zip, _docker_extracted_dir; services.sts._sessions;
core.lambda_runtime.execution_credentials.
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ministack.core.lambda_runtime import execution_credentials
from ministack.core.responses import get_region
from ministack.services import lambda_svc, sts

_unpack = lambda_svc._provided_runtime_code_dir


def _without_host_packages(interpreter: str) -> Path:
    """A command that is the interpreter, to an exec wrapper as well, and never sees the host's packages."""
    command = Path(tempfile.gettempdir()) / "lang" / "bin" / "python3"
    command.parent.mkdir(parents=True, exist_ok=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(interpreter)} -S -s "$@"\n')
    command.chmod(0o755)
    return command


def scratch(port: int) -> Path:
    """The /tmp of the environment that has its Runtime API at this port; gone with it, as on AWS."""
    return Path(tempfile.gettempdir()) / "scratch" / str(port)


def access_key_of(port: int) -> str:
    """The access key of the environment that has its Runtime API at this port."""
    return f"ASIA{port:016d}"


class Surroundings:
    """Makes environments for functions, of one interpreter and one stand-in for /var/runtime."""

    def __init__(self, interpreter: str, runtime: str) -> None:
        self._interpreter = _without_host_packages(interpreter)
        self._runtime = runtime

    def code_folder(self, archive: bytes) -> str:
        """Unpack a function once, and put the command beside it that starts AWS's runtime client."""
        folder: str = _unpack(archive)
        bootstrap = Path(folder) / "bootstrap"
        if not bootstrap.exists():
            command = shlex.join([str(self._interpreter), "-m", "awslambdaric"])
            bootstrap.write_text(
                f'#!/bin/sh\nexec ${{AWS_LAMBDA_EXEC_WRAPPER:-}} {command} "$_HANDLER"\n'
            )
            bootstrap.chmod(0o755)
        return folder

    def variables(self, config: dict[str, Any], code: str, port: int) -> dict[str, str]:
        """What a function finds in `os.environ`: its own variables and those that AWS sets.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        layers = _layers(config)
        own = dict((config.get("Environment") or {}).get("Variables") or {})
        if wrapper := own.get("AWS_LAMBDA_EXEC_WRAPPER"):
            own["AWS_LAMBDA_EXEC_WRAPPER"] = _in_layers(wrapper, layers)
        folder = scratch(port)
        folder.mkdir(parents=True, exist_ok=True)
        packages = [str(layer / "python") for layer in layers if (layer / "python").is_dir()]
        return {
            **own,
            **_identity(config, port),
            **_endpoints(),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "LAMBDA_RUNTIME_DIR": self._runtime,
            "LAMBDA_TASK_ROOT": code,
            "LANG": "en_US.UTF-8",
            "PATH": os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONPATH": os.pathsep.join([code, *packages, self._runtime]),
            "TMPDIR": str(folder),
            "TZ": ":UTC",
            "_HANDLER": config["Handler"],
        }


def _endpoints() -> dict[str, str]:
    """Of all of AWS, and of Bedrock, which is elsewhere."""
    return {
        name: url
        for name, url in os.environ.items()
        if name == "AWS_ENDPOINT_URL" or name.startswith("AWS_ENDPOINT_URL_BEDROCK")
    }


def _identity(config: dict[str, Any], port: int) -> dict[str, str]:
    """Which function this is, and whose role it has."""
    name = config["FunctionName"]
    return {
        **_credentials(config, port),
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(config.get("Version", "$LATEST")),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"local-{port}",
        "AWS_REGION": get_region(),
    }


def _credentials(config: dict[str, Any], port: int) -> dict[str, str]:
    """Each environment has credentials of its own, as on AWS: they tell whose call it is."""
    credentials: dict[str, str] = execution_credentials(config)
    session = sts._sessions[credentials["AWS_ACCESS_KEY_ID"]]
    sts.register_session(access_key_of(port), dict(session))
    return {**credentials, "AWS_ACCESS_KEY_ID": access_key_of(port)}


def _layers(config: dict[str, Any]) -> list[Path]:
    archives = [lambda_svc._resolve_layer_zip(layer) for layer in config.get("Layers") or []]
    return [Path(lambda_svc._docker_extracted_dir(each, "layer")) for each in archives if each]


def _in_layers(path: str, layers: list[Path]) -> str:
    """Where a file under /opt lies here: layers are not mounted."""
    found = [layer / path.removeprefix("/opt/") for layer in layers]
    return next((str(file) for file in found if file.exists()), path)


def apply(interpreter: str, runtime: str) -> None:
    surroundings = Surroundings(interpreter, runtime)
    lambda_svc._provided_runtime_code_dir = surroundings.code_folder
    lambda_svc._provided_worker_env = surroundings.variables
