"""Start, find and stop a whole local cloud: emulator, simulator, and the template deployed.

Nothing outlives a stop but the keys and the installed packages: files and batches are kept in
memory. Everything lies in one state folder (`.local/`), so that several clouds can run side by side.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx

from local import emulator, processes
from local.build import ROOT, BuildFailed
from local.deploy import DeployFailed, Stack, deploy
from local.provider_config import (
    ConfigRefused,
    Keys,
    ProviderConfig,
    bedrock_endpoints,
    with_simulator,
)

DEFAULT_CONFIG = Path(__file__).parent / "config.yaml"
CONFIG_KEY = "config/config.yaml"
PROCESSES = ("launcher", "simulator")


class StartFailed(Exception):
    """The cloud did not start, and nothing of it runs; the text says why."""


@dataclass(frozen=True)
class Settings:
    """How to start a cloud.

    `cache` keeps installed packages for all clouds; `wait_scale` shortens Step Functions' waits;
    `variables` is where the config's os.environ/NAME are looked up; `parameters` are the template's,
    where they are to be other than samconfig.toml has them.
    """

    state: Path = ROOT / ".local"
    cache: Path = ROOT / ".local" / "build"
    port: int = 4000
    config: Path = DEFAULT_CONFIG
    stack: str = "nightmail"
    wait_scale: float = 1
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    settings: Settings
    emulator: emulator.Emulator
    stack: Stack
    keys: Keys
    simulator_url: str
    missing: list[str]
    warnings: tuple[str, ...]

    @property
    def base_url(self) -> str:
        return f"{self.emulator.front_url}/v1"

    @property
    def variables(self) -> dict[str, str]:
        """All that the openai client, the Python library, the AWS CLI and boto3 need."""
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": self.keys.master,
            "NIGHTMAIL_BASE_URL": self.base_url,
            "NIGHTMAIL_API_KEY": self.keys.master,
            "NIGHTMAIL_SECOND_KEY": self.keys.second,
            "NIGHTMAIL_SIMULATOR_URL": self.simulator_url,
            "NIGHTMAIL_STACK": self.stack.name,
            "NIGHTMAIL_CONFIG": str(self.settings.config.resolve()),
            **self.emulator.variables,
        }


def start(settings: Settings) -> Cloud:
    """Start a cloud and wait until it answers. Raises StartFailed and leaves nothing running."""
    settings.state.mkdir(parents=True, exist_ok=True)
    try:
        plan = _prepare(settings)
        cloud = _start(settings, plan)
        _await_answer(cloud)
    except (BuildFailed, ConfigRefused, DeployFailed, processes.NotStarted) as error:
        stop(settings.state)
        raise StartFailed(str(error)) from error
    except BaseException:
        stop(settings.state)
        raise
    _write_files(cloud)
    return cloud


def stop(state: Path) -> bool:
    """End exactly what a start has left in this state folder; whether there was anything."""
    running = processes.remembered(state)
    for process in running:
        process.stop()
    for name in ("pids.json", "env", "sam-env.json"):
        (state / name).unlink(missing_ok=True)
    shutil.rmtree(state / "tmp", ignore_errors=True)
    return bool(running)


def running_variables(state: Path) -> dict[str, str] | None:
    """What a running cloud wrote to its `env` file; None if there is none."""
    if len(processes.remembered(state)) < len(PROCESSES) or not (state / "env").exists():
        return None
    lines = (state / "env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines)
    return {name: shlex.split(value)[0] for name, _, value in pairs}


def put_config(stack: Stack, session: boto3.Session, config: ProviderConfig, secret: str) -> None:
    """Where the functions find them; they look again every minute."""
    session.client("secretsmanager").put_secret_value(
        SecretId=stack.outputs["SecretName"], SecretString=secret
    )
    session.client("s3").put_object(
        Bucket=stack.outputs["BucketName"], Key=CONFIG_KEY, Body=config.text.encode()
    )


def write_env(state: Path, variables: Mapping[str, str]) -> None:
    """The `env` file, which `running_variables` reads."""
    file = state / "env"
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={shlex.quote(text)}\n" for name, text in variables.items()))


@dataclass(frozen=True)
class _Plan:
    """All that can be known, and refused, before anything runs."""

    config: ProviderConfig
    keys: Keys
    secret: str
    missing: list[str]
    simulator_port: int

    @property
    def simulator_url(self) -> str:
        return f"http://127.0.0.1:{self.simulator_port}"


def _prepare(settings: Settings) -> _Plan:
    config = ProviderConfig.read(settings.config)
    simulator_port = processes.free_port()
    variables = with_simulator(settings.variables, f"http://127.0.0.1:{simulator_port}")
    keys = Keys.kept(settings.state, config.master_key(variables))
    secret = config.secret(keys, variables)
    if processes.is_taken(settings.port):
        raise StartFailed(f"Port {settings.port} is taken. Give another one with PORT=...")
    return _Plan(config, keys, secret, config.missing(variables), simulator_port)


def _start(settings: Settings, plan: _Plan) -> Cloud:
    calls = settings.state / "simulator-calls.jsonl"
    options = ["--port", str(plan.simulator_port), "--log-file", str(calls)]
    bedrock = bedrock_endpoints(plan.simulator_url, settings.variables)
    cloud = emulator.start(
        settings.state, settings.cache, settings.port, settings.wait_scale, bedrock
    )
    processes.remember([cloud.process], settings.state)
    # It reads and writes the bucket, as Bedrock does.
    simulator = processes.spawn("simulator", options, settings.state, cloud.variables)
    processes.remember([cloud.process, simulator], settings.state)
    processes.wait_until_ready(simulator, f"{plan.simulator_url}/_control/health")
    session = cloud.session()
    template = ROOT / "template.yaml"
    parameters = {**_parameters(), **settings.parameters}
    stack = deploy(template, settings.stack, session, parameters, settings.cache)
    put_config(stack, session, plan.config, plan.secret)
    cloud.lead_to(stack.outputs["ApiId"])
    warnings = plan.config.config.warnings
    return Cloud(settings, cloud, stack, plan.keys, plan.simulator_url, plan.missing, warnings)


def _parameters() -> dict[str, str]:
    """The template's parameters: samconfig's local section, and the host's processor."""
    file = ROOT / "samconfig.toml"
    section: Any = tomllib.loads(file.read_text()) if file.exists() else {}
    for name in ("local", "deploy", "parameters"):
        section = section.get(name, {})
    written = section.get("parameter_overrides", [])
    pairs = shlex.split(written) if isinstance(written, str) else written
    parameters = dict(pair.split("=", 1) for pair in pairs)
    machine = platform.machine().lower()
    architecture = "arm64" if machine in {"arm64", "aarch64"} else "x86_64"
    return {**parameters, "Architecture": architecture}


def _await_answer(cloud: Cloud) -> None:
    """Make sure that every function starts, and that a request with the key is answered."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        names = cloud.stack.functions
        for name, error in zip(
            names, pool.map(cloud.emulator.initialise, names.values()), strict=True
        ):
            if error:
                raise StartFailed(f"{name} does not start: {error}")
    answer = httpx.get(
        f"{cloud.base_url}/models",
        headers={"Authorization": f"Bearer {cloud.keys.master}"},
        timeout=30,
        trust_env=False,
    )
    if answer.status_code != httpx.codes.OK:
        raise StartFailed(
            f"GET /v1/models answers {answer.status_code}: {_last_error(cloud) or answer.text[:300]}"
        )


def _last_error(cloud: Cloud) -> str:
    """What a function said last when it failed."""
    log = (cloud.settings.state / emulator.FUNCTION_LOG).read_text(errors="replace")
    errors = [line for line in log.splitlines() if "[ERROR]" in line]
    return errors[-1][:500] if errors else ""


def _write_files(cloud: Cloud) -> None:
    state = cloud.settings.state
    write_env(state, cloud.variables)
    (state / "sam-env.json").write_text(json.dumps(_container_variables(cloud), indent=2))


def _container_variables(cloud: Cloud) -> dict[str, dict[str, str]]:
    """The functions' variables for `sam local invoke -n`, seen from a container."""
    client = cloud.emulator.session().client("lambda")
    port = cloud.emulator.endpoint_url.rpartition(":")[2]
    endpoint = {"AWS_ENDPOINT_URL": f"http://{emulator.CONTAINER_GATEWAY}:{port}"}
    variables = {}
    for logical_id, name in cloud.stack.functions.items():
        configuration = client.get_function_configuration(FunctionName=name)
        own = configuration.get("Environment", {}).get("Variables", {})
        variables[logical_id] = {**own, **endpoint}
    return variables
