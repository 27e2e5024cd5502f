"""A local cloud of the tests' own: the template deployed, roles enforced, on free ports."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
import httpx
import pytest
import yaml

from local import cloud as local_cloud
from local import processes
from local.simulator.client import SimulatorClient
from tests.e2e import market
from tests.e2e.tenants import BUYERS, TENANTS, Tenant
from tests.patience import wait_until

WAIT_SCALE = 0.02
"""Step Functions' waits, so that a poll after 5 s comes after 0.1 s."""

PARAMETERS = {"SubmitTimeoutSeconds": "10", "ChunkLines": "250", "MaxBatchLines": "60000"}
"""A shard whose SubmitShard was killed is taken over after this time, and five seconds more; a batch of
a few hundred lines has several chunks; a file that is too long is no big one.
"""

REPORT = re.compile(r"Memory Size: (\d+) MB\s+Max Memory Used: (\d+) MB")

RPM = 2400
"""What models named `limited-*` take a minute."""

BATCH_SECONDS = 0.05
"""How long the simulator takes for a batch."""


@dataclass(frozen=True)
class ShortStep:
    """A function with so much time, whose calls of AWS that match take so much of it."""

    function: str
    seconds: int
    slow_call: str = ""
    call_seconds: float = 0


@dataclass(frozen=True)
class RunningCloud:
    """What an end-to-end test may touch."""

    running: local_cloud.Cloud
    tenants: Iterator[Tenant] = field(default_factory=lambda: iter(TENANTS))
    buyers: Iterator[Tenant] = field(default_factory=lambda: iter(BUYERS))

    def new_tenant(self) -> Tenant:
        """Somebody whom no other test knows."""
        return next(self.tenants)

    def new_buyer(self) -> Tenant:
        """Somebody with the models of `market`, whom no other test knows."""
        return next(self.buyers)

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return self.running.base_url

    @property
    def key(self) -> str:
        """The master key."""
        return self.running.keys.master

    @property
    def second_key(self) -> str:
        """The key of the owner `second`."""
        return self.running.keys.second

    @property
    def endpoint_url(self) -> str:
        return self.running.emulator.endpoint_url

    @cached_property
    def session(self) -> boto3.Session:
        """AWS, as the account's root."""
        return self.running.emulator.session()

    @property
    def outputs(self) -> dict[str, str]:
        return self.running.stack.outputs

    @property
    def simulator_url(self) -> str:
        return self.running.simulator_url

    @cached_property
    def simulator(self) -> SimulatorClient:
        return SimulatorClient(self.simulator_url)

    def function_name(self, function: str) -> str:
        """The name that Lambda knows: `submit_shard` is a folder, `nightmail-submit_shard` a function."""
        logical_id = "".join(word.capitalize() for word in function.split("_")) + "Function"
        return self.running.stack.resources[logical_id]

    @contextmanager
    def short_of_time(self, *steps: ShortStep) -> Iterator[None]:
        """Functions that may work for no longer, for as long as the block lasts."""
        functions = self.session.client("lambda")
        names = [self.function_name(step.function) for step in steps]
        before = [functions.get_function_configuration(FunctionName=name) for name in names]
        try:
            for step, name in zip(steps, names, strict=True):
                functions.update_function_configuration(FunctionName=name, Timeout=step.seconds)
                # The emulator counts a process's start among its first work, as AWS does not.
                self.running.emulator.initialise(name)
                if step.slow_call:
                    self.running.emulator.slow(name, step.slow_call, step.call_seconds)
            yield
        finally:
            self.running.emulator.forget_slowness()
            for name, found in zip(names, before, strict=True):
                functions.update_function_configuration(FunctionName=name, Timeout=found["Timeout"])

    def steps_done(self, function: str, batch_id: str) -> list[str]:
        """Where a function of the state machine said to go next, each time that it worked on a batch."""
        pages = (
            self.session.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{self.function_name(function)}")
        )
        messages = [event["message"] for page in pages for event in page["events"]]
        own = [json.loads(text) for text in messages if batch_id in text and '"step done"' in text]
        return [entry["next"] for entry in own]

    def kill_function(
        self,
        function: str,
        when: str | dict[str, Any] = "start",
        times: int = 1,
        event: str = "",
    ) -> None:
        """Kill the process of a function's next invocations: all as in local.chaos."""
        self.running.emulator.kill(self.function_name(function), when, times, event)

    def kills(self) -> dict[str, Any]:
        """`{"waiting": [...], "done": [...]}`: what kill_function has asked for."""
        return self.running.emulator.kills()

    def memory(self, function: str) -> list[tuple[int, int]]:
        """For each of its invocations so far: MB that the function may take, and MB that it took."""
        logs = self.session.client("logs")
        group = f"/aws/lambda/{self.function_name(function)}"
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern="REPORT"
        )
        found = (REPORT.search(event["message"]) for page in pages for event in page["events"])
        return [(int(report[1]), int(report[2])) for report in found if report]

    def forget_kills(self) -> None:
        self.running.emulator.forget_kills()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    state = tmp_path_factory.mktemp("cloud")
    config = state / "config.yaml"
    config.write_text(_config())
    settings = local_cloud.Settings(
        state=state,
        port=processes.free_port(),
        config=config,
        wait_scale=WAIT_SCALE,
        variables={tenant.variable: tenant.provider_key for tenant in TENANTS + BUYERS},
        parameters=PARAMETERS,
    )
    running = RunningCloud(local_cloud.start(settings))
    _let_in(running)
    try:
        with running.simulator:
            running.simulator.set(batch_seconds=BATCH_SECONDS)
            yield running
        assert _given_up(running) == []
    finally:
        local_cloud.stop(state)


def _given_up(running: RunningCloud) -> list[str]:
    """What lies in the dead-letter queue: nothing may, whatever the tests did."""
    queue = running.session.client("sqs")
    found = queue.receive_message(
        QueueUrl=running.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10
    )
    return [message["Body"] for message in found.get("Messages", [])]


def _config() -> str:
    """The local cloud's own models, and those of the tenants."""
    document = yaml.safe_load(local_cloud.DEFAULT_CONFIG.read_text())
    document["model_list"] += [tenant.model_entry for tenant in TENANTS]
    document["model_list"] += [_direct_entry("direct-*"), _direct_entry("limited-*", rpm=RPM)]
    document["model_list"] += [entry for buyer in BUYERS for entry in market.entries(buyer)]
    others = [fallback for buyer in BUYERS for fallback in market.fallbacks(buyer)]
    document["litellm_settings"] = {"fallbacks": others}
    return yaml.safe_dump(document)


def _direct_entry(names: str, **limits: int) -> dict[str, Any]:
    """Models of any such name, whose lines the gateway calls itself."""
    places = {
        "api_base": "os.environ/NIGHTMAIL_SIMULATOR_URL",
        "api_key": "os.environ/NIGHTMAIL_SIMULATOR_KEY",
    }
    params = {"model": f"openai/{names}", "batch": "direct", **places, **limits}
    return {"model_name": names, "litellm_params": params}


def _let_in(running: RunningCloud) -> None:
    """Add the tenants' keys to the stack's secret."""
    secrets = running.session.client("secretsmanager")
    name = running.outputs["SecretName"]
    secret = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
    for tenant in TENANTS + BUYERS:
        secret["keys"][tenant.owner] = hashlib.sha256(tenant.key.encode()).hexdigest()
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(secret))
    # The authorizer keeps the secret for a while, and the API keeps what the authorizer said: only
    # one that knows the keys may be asked for them.
    running.kill_function("authorizer")
    wait_until(lambda: _answer_to(TENANTS[0].key, running) == httpx.codes.OK)


def _answer_to(key: str, running: RunningCloud) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{running.base_url}/models"
    return httpx.get(url, headers=headers, trust_env=False).status_code
