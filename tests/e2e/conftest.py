"""A local cloud of the tests' own: the template deployed, roles enforced, on free ports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
import pytest

from local import cloud as local_cloud
from local import processes
from local.simulator.client import SimulatorClient

WAIT_SCALE = 0.02
"""Step Functions' waits, so that a poll after 5 s comes after 0.1 s."""


@dataclass(frozen=True)
class RunningCloud:
    """What an end-to-end test may touch."""

    running: local_cloud.Cloud

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

    def kill_function(
        self, function: str, when: str | dict[str, Any] = "start", times: int = 1
    ) -> None:
        """Kill the process of a function's next invocations: `when` as in local.chaos."""
        self.running.emulator.kill(self.function_name(function), when, times)

    def kills(self) -> dict[str, Any]:
        """`{"waiting": [...], "done": [...]}`: what kill_function has asked for."""
        return self.running.emulator.kills()

    def forget_kills(self) -> None:
        self.running.emulator.forget_kills()


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    state = tmp_path_factory.mktemp("cloud")
    settings = local_cloud.Settings(
        state=state, port=processes.free_port(), wait_scale=WAIT_SCALE, variables={}
    )
    running = RunningCloud(local_cloud.start(settings))
    try:
        with running.simulator:
            yield running
    finally:
        local_cloud.stop(state)
