"""A running emulator, seen from outside: start it, and reach AWS and its test hooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
import httpx

from local import build, processes

ACCESS_KEY = "test"
REGION = "us-east-1"
FUNCTION_LOG = "functions.log"
CONTAINER_GATEWAY = "172.17.0.1"
"""Where a container of Docker's default network finds its host."""


@dataclass(frozen=True)
class Emulator:
    """The emulator at `endpoint_url`, with the front door at `front_url`."""

    process: processes.Process
    endpoint_url: str
    front_url: str

    @property
    def variables(self) -> dict[str, str]:
        """What the AWS CLI and boto3 need to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    def session(self) -> boto3.Session:
        return session_at(self.endpoint_url)

    def lead_to(self, api_id: str) -> None:
        """Let the front door lead to this API."""
        self._steer("PUT", "front", {"api_id": api_id})

    def kill(
        self,
        function: str,
        when: str | dict[str, Any] = "start",
        times: int = 1,
        event: str = "",
    ) -> None:
        """Kill the next invocations of a function, by its name: see local.chaos."""
        order = {"function": function, "when": when, "times": times, "event": event}
        self._steer("POST", "kill", order)

    def kills(self) -> dict[str, Any]:
        """The kills that wait and those that were done: `{"waiting": [...], "done": [...]}`."""
        return self._steer("GET", "kill")

    def forget_kills(self) -> None:
        self._steer("DELETE", "kill")

    def slow(self, function: str, call: str, seconds: float) -> None:
        """Let calls of AWS by a function take longer: see local.slowness."""
        self._steer("POST", "slow", {"function": function, "call": call, "seconds": seconds})

    def forget_slowness(self) -> None:
        self._steer("DELETE", "slow")

    def counts(self) -> dict[str, Any]:
        """States entered and calls of AWS since the last `forget_counts`: see local.counting."""
        return self._steer("GET", "counts")

    def forget_counts(self) -> None:
        self._steer("DELETE", "counts")

    def initialise(self, function: str) -> str | None:
        """Start a process of the function; why it does not start, or None."""
        error: str | None = self._steer("POST", "initialise", {"function": function})["error"]
        return error

    def _steer(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        url = f"{self.endpoint_url}/_nightmail/{path}"
        with httpx.Client(trust_env=False, timeout=60) as client:
            answer: dict[str, Any] = (
                client.request(method, url, json=body).raise_for_status().json()
            )
        return answer


class _Session(boto3.Session):
    """A session whose clients all speak to one endpoint."""

    def __init__(self, endpoint_url: str, **options: Any) -> None:
        super().__init__(**options)
        self._endpoint_url = endpoint_url

    def client(self, *args: Any, **options: Any) -> Any:
        return super().client(*args, **{"endpoint_url": self._endpoint_url, **options})

    def resource(self, *args: Any, **options: Any) -> Any:
        return super().resource(*args, **{"endpoint_url": self._endpoint_url, **options})


def session_at(endpoint_url: str) -> boto3.Session:
    """AWS as the account's root sees it, whatever this process's environment says."""
    return _Session(
        endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=ACCESS_KEY,
        region_name=REGION,
    )


def start(
    state: Path,
    cache: Path,
    front_port: int,
    wait_scale: float = 1,
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> Emulator:
    """Start an emulator on a free port and wait until it answers.

    `elsewhere` are AWS_ENDPOINT_URL_... of services that its functions find at another address.
    `state` takes its log and temporary files, `cache` the runtime's packages. `wait_scale` shortens
    Step Functions' waits. Raises NotStarted, or BuildFailed if packages cannot be installed.
    """
    runtime = build.runtime(cache)
    port = processes.free_port()
    ports = ["--port", str(port), "--front-port", str(front_port)]
    files = ["--runtime", str(runtime), "--function-log", str(state / FUNCTION_LOG)]
    variables = {**_environment(port, wait_scale), **elsewhere}
    process = processes.spawn("launcher", [*ports, *files], state, variables)
    url = f"http://127.0.0.1:{port}"
    try:
        processes.wait_until_ready(process, f"{url}/_ministack/ready")
    except BaseException:
        process.stop()
        raise
    return Emulator(process, url, f"http://127.0.0.1:{front_port}")


def _environment(port: int, wait_scale: float) -> dict[str, str]:
    """What ministack reads when it is imported."""
    return {
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": REGION,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        # Nothing here needs Docker, and the emulator looks for it at every start.
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "SFN_WAIT_SCALE": str(wait_scale),
        "SFTP_ENABLED": "0",
    }
