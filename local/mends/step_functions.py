"""Step Functions keeps its quotas, its roles and its time.

ministack never asks what a state machine's role may do, passes states of any size, catches what
nothing can catch, takes a path that leads nowhere for null, ignores a machine's TimeoutSeconds and
MaxConcurrencyPath, lets children run on when their execution was stopped, and refuses a
StartExecution that AWS answers again.

https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html

Replaces: services.stepfunctions._start_execution, _run_execution, _fail_execution, _error_matches,
_apply_result_selector, _resolve_params_obj, _execute_{pass,task,choice,wait,parallel,map},
_run_distributed_map, _s3_object_text, _call_lambda. Uses: _ExecutionError, _executions,
_state_machines, _add_event, _emit_execution_status_event, _parse_jsonpath_tokens, _resolve_path,
_SFN_WAIT_SCALE.
"""

# ruff: noqa: SLF001 - a mend is made of the emulator's private names

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import (
    error_response_json,
    get_account_id,
    get_region,
    json_response,
    now_iso,
)
from ministack.services import lambda_svc
from ministack.services import stepfunctions as states

STATE_LIMIT = 256 * 1024
"""Bytes of one state's input or output."""

UNCATCHABLE = {"States.DataLimitExceeded", "States.Runtime"}
"""What `States.ALL` and `States.TaskFailed` do not stand for."""

_start_execution = states._start_execution
_run_execution = states._run_execution
_fail_execution = states._fail_execution
_error_matches = states._error_matches
_apply_result_selector = states._apply_result_selector
_resolve_params_obj = states._resolve_params_obj
_run_distributed_map = states._run_distributed_map
_s3_object_text = states._s3_object_text
_call_lambda = states._call_lambda

_role: contextvars.ContextVar[str | None] = contextvars.ContextVar("role", default=None)


def _within_limit(value: Any, state: str) -> Any:
    if len(json.dumps(value, ensure_ascii=False).encode()) > STATE_LIMIT:
        raise states._ExecutionError(
            "States.DataLimitExceeded",
            f"The state/task '{state}' returned a result with a size exceeding the maximum number "
            "of bytes service limit.",
        )
    return value


def _select_result(definition: dict[str, Any], result: Any) -> Any:
    return _apply_result_selector(definition, _within_limit(result, definition.get("Type", "")))


def _guarded(run: Callable[..., tuple[Any, str | None]]) -> Callable[..., tuple[Any, str | None]]:
    """Run a state unless its execution was stopped, and weigh what goes in and out."""

    def run_state(definition: dict[str, Any], data: Any, *rest: Any) -> tuple[Any, str | None]:
        context = rest[-1]
        root = states._executions.get(context["Execution"]["Id"])
        if root is not None and root["status"] != "RUNNING":
            raise states._ExecutionError("States.Aborted", "The execution has ended")
        for field in ("SecondsPath", "TimestampPath", "MaxConcurrencyPath"):
            _require(definition.get(field, "$"), data, field)
        name = context["State"]["Name"]
        output, following = run(definition, _within_limit(data, name), *rest)
        return _within_limit(output, name), following

    return run_state


def _resolve(template: Any, data: Any, context: Any = None) -> Any:
    """Parameters and ResultSelector: a path that leads nowhere breaks the execution."""
    for field, path in template.items() if isinstance(template, dict) else ():
        if field.endswith(".$") and isinstance(path, str) and path.startswith("$."):
            _require(path, data, field)
    return _resolve_params_obj(template, data, context)


def _require(path: str, data: Any, field: str) -> None:
    found = data
    for kind, name in states._parse_jsonpath_tokens(path) or ():
        if kind != "field":
            return
        if not isinstance(found, dict) or name not in found:
            raise states._ExecutionError(
                "States.Runtime",
                f"The JSONPath '{path}' specified for the field '{field}' could not be found in "
                f"the input '{json.dumps(data)}'",
            )
        found = found[name]


def _matches(error_equals: list[str], error: str) -> bool:
    if error in UNCATCHABLE:
        return error in error_equals
    return bool(_error_matches(error_equals, error))


def _start(data: dict[str, Any]) -> Any:
    given = data.get("input", "{}")
    if len(given.encode()) > STATE_LIMIT:
        return error_response_json(
            "ValidationException",
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {STATE_LIMIT}",
            400,
        )
    known = states._executions.get(_arn(data))
    if known and known["status"] == "RUNNING" and known["input"] == given:
        return json_response(
            {"executionArn": known["executionArn"], "startDate": known["startDate"]}
        )
    answer = _start_execution(data)
    _limit_time(json.loads(answer[2]).get("executionArn"))
    return answer


def _arn(data: dict[str, Any]) -> str:
    machine = data.get("stateMachineArn", "").rsplit(":", 1)[-1]
    scope = f"{get_region()}:{get_account_id()}"
    return f"arn:aws:states:{scope}:execution:{machine}:{data.get('name')}"


def _limit_time(execution_arn: str | None) -> None:
    """Time the execution out after its machine's TimeoutSeconds, scaled as its waits are."""
    execution = states._executions.get(execution_arn)
    if execution is None:
        return
    definition = json.loads(states._state_machines[execution["stateMachineArn"]]["definition"])
    seconds = definition.get("TimeoutSeconds")
    if seconds:
        run = contextvars.copy_context().run
        timer = threading.Timer(seconds * states._SFN_WAIT_SCALE, run, (_time_out, execution))
        timer.daemon = True
        timer.start()


def _time_out(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=now_iso(), error="States.Timeout")
    states._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    states._emit_execution_status_event(execution)


def _fail(execution: dict[str, Any], error: str, cause: str) -> None:
    """A stopped execution stays stopped, whatever its last state says."""
    if execution["status"] == "RUNNING":
        _fail_execution(execution, error, cause)


def _run(execution_arn: str) -> None:
    execution = states._executions.get(execution_arn)
    machine = states._state_machines.get(execution["stateMachineArn"]) if execution else None
    if machine is not None:
        _role.set(machine["roleArn"])
    _run_execution(execution_arn)


def _refusal(action: str, resource: str) -> str | None:
    """Why the running machine's role may not do this; None if it may."""
    role = _role.get()
    if role is None:
        return None
    account = get_account_id()
    policies = iam_evaluator._gather_role_policies(role.rsplit("/", 1)[-1], account)
    context = iam_evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    if iam_evaluator.evaluate(context, policies).decision == "Allow":
        return None
    return f"User: {role} is not authorized to perform: {action} on resource: {resource}"


def _invoke_function(reference: str, event: Any) -> Any:
    _, config, _ = lambda_svc._get_func_record_for_ref(reference)
    refusal = _refusal("lambda:InvokeFunction", config["FunctionArn"]) if config else None
    if refusal:
        raise states._ExecutionError("Lambda.AWSLambdaException", refusal)
    return _call_lambda(reference, event)


def _read_items(bucket: str, key: str) -> str:
    refusal = _refusal("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}")
    if refusal:
        raise states._ExecutionError("States.ItemReaderFailed", refusal)
    text: str = _s3_object_text(bucket, key)
    return text


def _run_map(definition: dict[str, Any], data: Any, *rest: Any) -> Any:
    execution = rest[-2]
    refusal = _refusal("states:StartExecution", execution["stateMachineArn"])
    if refusal:
        raise states._ExecutionError("States.Permissions", refusal)
    if "MaxConcurrencyPath" in definition:
        concurrency = states._resolve_path(definition["MaxConcurrencyPath"], data)
        definition = {**definition, "MaxConcurrency": concurrency}
    return _run_distributed_map(definition, data, *rest)


def apply() -> None:
    states._start_execution = _start
    states._run_execution = _run
    states._fail_execution = _fail
    states._error_matches = _matches
    states._apply_result_selector = _select_result
    states._resolve_params_obj = _resolve
    states._call_lambda = _invoke_function
    states._s3_object_text = _read_items
    states._run_distributed_map = _run_map
    for kind in ("pass", "task", "choice", "wait", "parallel", "map"):
        name = f"_execute_{kind}"
        setattr(states, name, _guarded(getattr(states, name)))
