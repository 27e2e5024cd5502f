"""A state machine in the process: it reads batch.asl.json and does what that says, on a clock of its own.

It knows no more of the States Language than that file uses, and refuses the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Task = Callable[[Json], Json]

ASL = Path(__file__).parents[2] / "statemachine" / "batch.asl.json"
_MOST_STATES = 5000


class Killed(BaseException):
    """The process of a function ended without a word, as by SIGKILL."""


@dataclass
class Ended:
    """How an execution ended: the name of its last state, and whether that is a success."""

    state: str
    succeeded: bool


@dataclass
class Machine:
    """`tasks` are the functions by the names of their states; `read` reads an object of the bucket.

    `wait` lets seconds pass; `entered` is told the name of each state before it runs.
    """

    tasks: Mapping[str, Task]
    read: Callable[[str], bytes]
    wait: Callable[[float], None]
    entered: Callable[[str], None] = lambda _: None
    visited: list[str] = field(default_factory=list)

    def run(self, payload: Json) -> Ended:
        return self._run(json.loads(ASL.read_text()), payload)

    def _run(self, machine: Json, payload: Json) -> Ended:
        name, data = machine["StartAt"], payload
        for _ in range(_MOST_STATES):
            state = machine["States"][name]
            self.visited.append(name)
            self.entered(name)
            if state["Type"] in {"Succeed", "Fail"}:
                return Ended(name, succeeded=state["Type"] == "Succeed")
            name, data = self._step(name, state, data)
        raise AssertionError(f"No end after {_MOST_STATES} states; the last was {name}.")

    def _step(self, name: str, state: Json, data: Json) -> tuple[str, Json]:
        match state["Type"]:
            case "Task":
                return self._task(name, state, data)
            case "Choice":
                return _choose(state, data), data
            case "Wait":
                self.wait(_at(state["SecondsPath"], data))
                return state["Next"], data
            case "Map":
                self._map(state, data)
                return state["Next"], data
            case "Parallel":
                for branch in state["Branches"]:
                    self._run(branch, data)
                return state["Next"], data
        raise NotImplementedError(state["Type"])

    def _task(self, name: str, state: Json, data: Json) -> tuple[str, Json]:
        retries = [0] * len(state["Retry"])
        while True:
            try:
                answer = self.tasks[name](_copied(data))
            except (Exception, Killed) as error:  # noqa: BLE001 - as Step Functions does
                names = _names_of(error)
                if not self._waits_to_retry(state["Retry"], retries, names):
                    return _caught(state, data, names, error)
            else:
                return state["Next"], _with_result(state, data, _copied(answer))

    def _waits_to_retry(self, retriers: list[Json], retries: list[int], names: set[str]) -> bool:
        for number, retrier in enumerate(retriers):
            if not names & set(retrier["ErrorEquals"]):
                continue
            if retries[number] >= retrier["MaxAttempts"]:
                return False
            wait = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** retries[number]
            retries[number] += 1
            self.wait(min(wait, retrier.get("MaxDelaySeconds", wait)))
            return True
        return False

    def _map(self, state: Json, data: Json) -> None:
        for line in self.read(_key_of(state["ItemReader"], data)).splitlines():
            item = {
                name.removesuffix(".$"): _selected(path, data, json.loads(line))
                for name, path in state["ItemSelector"].items()
            }
            self._run(state["ItemProcessor"], item)


def _names_of(error: BaseException) -> set[str]:
    """What `ErrorEquals` may call this error."""
    own = "Runtime.ExitError" if isinstance(error, Killed) else type(error).__name__
    return {own, "States.TaskFailed", "States.ALL"}


def _caught(state: Json, data: Json, names: set[str], error: BaseException) -> tuple[str, Json]:
    for catcher in state.get("Catch", []):
        if names & set(catcher["ErrorEquals"]):
            assert catcher["ResultPath"] == "$.error"
            return catcher["Next"], {**data, "error": str(error)}
    raise error


def _with_result(state: Json, data: Json, answer: Json) -> Json:
    assert state["ResultPath"] == "$.step"
    selected = {
        name.removesuffix(".$"): _at(path, {"Payload": answer})
        for name, path in state["ResultSelector"].items()
    }
    return {**data, "step": selected}


def _choose(state: Json, data: Json) -> str:
    for choice in state["Choices"]:
        value = _at(choice["Variable"], data)
        if value == choice.get("StringEquals") or value > choice.get("NumericGreaterThan", value):
            return str(choice["Next"])
    return str(state["Default"])


def _key_of(reader: Json, data: Json) -> str:
    called = re.fullmatch(r"States\.Format\('(.*)', (.*)\)", reader["Parameters"]["Key.$"])
    assert called, "the key is made by States.Format of one value"
    return called[1].format(_at(called[2], data))


def _selected(path: str, data: Json, item: Json) -> Any:
    item_path = path.replace("$$.Map.Item.Value", "$", 1)
    return _at(path, data) if item_path == path else _at(item_path, item)


def _at(path: str, data: Any) -> Any:
    """The value at a path such as `$.step.next`."""
    names: Sequence[str] = re.split(r"\.", path)[1:]
    for name in names:
        data = data[name]
    return data


def _copied(data: Json) -> Json:
    """What travels between states is JSON."""
    copied: Json = json.loads(json.dumps(data))
    return copied
