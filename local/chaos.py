"""Kill functions' processes at chosen moments, so that tests can show what survives.

`POST /_nightmail/kill` on the emulator's port makes a plan, `GET` shows the plans that wait and the
kills that were done, `DELETE` forgets both. A plan is
`{"function": <FunctionName>, "event": "", "times": 1, "when": ...}`: only invocations count whose
event has that text anywhere in its JSON. `when` is one of

- `"start"`: as soon as the process has the event;
- `"end"`: when the handler has finished and before its answer counts;
- `"now"`: the invocations that run at this moment, nothing later;
- `{"after_ms": 50}`: that long after the start;
- `{"call": "dynamodb UpdateItem", "moment": "before"}`: at a call that the function makes of AWS.
  The pattern (shell style) is matched against `<service> <operation>`, for S3 against
  `s3 <method> /<bucket>/<key>`. `before`: the call has no effect; `after`: it has, and the function
  never learns of it.
"""

from __future__ import annotations

import fnmatch
import json
import threading
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeGuard

from pydantic import BaseModel, ConfigDict


class Victim(Protocol):
    """An execution environment that can be killed, with the plan for what it runs now."""

    func_name: str
    event: Any
    plan: Plan | None

    @property
    def access_key(self) -> str:
        """What it signs its calls of AWS with; no other environment has the same."""

    def kill_process(self) -> None: ...


class Delay(BaseModel):
    model_config = ConfigDict(extra="forbid")
    after_ms: int


class Call(BaseModel):
    model_config = ConfigDict(extra="forbid")
    call: str
    moment: Literal["before", "after"] = "before"


class Order(BaseModel):
    """What a test asks for."""

    model_config = ConfigDict(extra="forbid")
    function: str
    event: str = ""
    times: int = 1
    when: Literal["start", "end", "now"] | Delay | Call = "start"

    def is_for(self, victim: Victim) -> bool:
        return self.function == victim.func_name and self.event in json.dumps(victim.event)


@dataclass
class Plan:
    """One kill of one invocation."""

    order: Order
    victim: Victim
    fired: bool = False

    def fire(self) -> None:
        """Kill the invocation this was made for, unless it is over."""
        with _lock:
            if self.fired or self.victim.plan is not self:
                return
            self.fired = True
            _done.append(self.order)
            self.victim.kill_process()


_lock = threading.RLock()
_orders: list[Order] = []
_done: list[Order] = []
_running: list[Victim] = []


def place(order: Order) -> None:
    """Take an order; one for `now` is carried out at once."""
    with _lock:
        if order.when != "now":
            _orders.append(order)
            return
        for victim in [victim for victim in _running if order.is_for(victim)]:
            victim.plan = Plan(order, victim)
            victim.plan.fire()


def forget() -> None:
    with _lock:
        _orders.clear()
        _done.clear()


def report() -> dict[str, Any]:
    with _lock:
        return {
            "waiting": [order.model_dump() for order in _orders],
            "done": [order.model_dump() for order in _done],
        }


def begin(victim: Victim) -> None:
    """An invocation is about to be handed to its process: it takes the order that waits for it.

    An order for a call of AWS is taken by who makes such a call first.
    """
    with _lock:
        _running.append(victim)
        own = (order for order in _orders if order.is_for(victim))
        order = next((order for order in own if not isinstance(order.when, Call)), None)
        victim.plan = _taken(order, victim) if order else None


def end(victim: Victim) -> None:
    """The invocation is over; an order that found no occasion waits for the next one."""
    with _lock:
        _running.remove(victim)
        if victim.plan is not None and not victim.plan.fired:
            _orders.insert(0, victim.plan.order)
        victim.plan = None


def function_with(access_key: str) -> str | None:
    """Whose invocation it is that signs with this key, if it runs at this moment."""
    with _lock:
        return next((each.func_name for each in _running if each.access_key == access_key), None)


def invocation_begun(plan: Plan | None) -> None:
    if plan is None:
        return
    if plan.order.when == "start":
        plan.fire()
    elif isinstance(plan.order.when, Delay):
        timer = threading.Timer(plan.order.when.after_ms / 1000, plan.fire)
        timer.daemon = True
        timer.start()


def invocation_ends(plan: Plan | None) -> None:
    if plan is not None and plan.order.when == "end":
        plan.fire()


def plan_for_call(access_key: str, operation: str) -> tuple[Plan, Call] | None:
    """The plan for this call of AWS, signed with this key, of an invocation that has no other plan."""
    with _lock:
        caller = next((each for each in _running if each.access_key == access_key), None)
        if caller is None or caller.plan is not None:
            return None
        for order in _orders:
            call = order.when
            if _is_met(call, operation) and order.is_for(caller):
                caller.plan = _taken(order, caller)
                return caller.plan, call
    return None


def _is_met(when: object, operation: str) -> TypeGuard[Call]:
    return isinstance(when, Call) and fnmatch.fnmatchcase(operation, when.call)


def _taken(order: Order, victim: Victim) -> Plan:
    order.times -= 1
    if order.times <= 0:
        _orders.remove(order)
    return Plan(order.model_copy(update={"times": 1}), victim)
