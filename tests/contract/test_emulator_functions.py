"""The emulator runs functions as Lambda does: alone, within their limits, with their errors."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.miniature import Miniature, await_


def test_a_function_sees_its_own_variables_and_those_of_aws_only(
    miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = miniature.http.get("/desk").json()

    assert {"BUCKET_NAME", "TABLE_NAME", "AWS_SESSION_TOKEN", "_HANDLER"} <= set(
        environment["variables"]
    )
    assert not {"HOME", "AUTH", "GATEWAY_PORT", "VIRTUAL_ENV", "PYTEST_VERSION"} & set(
        environment["variables"]
    )


def test_a_function_imports_its_layer_and_nothing_of_the_host(miniature: Miniature) -> None:
    environment = miniature.http.get("/desk").json()

    assert environment["layer"] == "from the layer"
    assert environment["packages"] == []


def test_a_missing_dependency_fails(miniature: Miniature) -> None:
    error = miniature.invoke("Needy", {})

    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'moto'" in error["errorMessage"]


def test_a_missing_dependency_is_told_before_anybody_calls(miniature: Miniature) -> None:
    told = miniature.emulator.initialise(miniature.name("Needy"))

    assert "No module named 'moto'" in str(told)
    assert miniature.emulator.initialise(miniature.name("Step")) is None


def test_a_function_that_takes_too_long_is_timed_out(miniature: Miniature) -> None:
    error = miniature.invoke("Nap", {"do": "sleep", "seconds": 60})

    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")


def test_a_function_that_needs_more_memory_than_it_has_is_killed(miniature: Miniature) -> None:
    error = miniature.invoke("Step", {"do": "hungry"})

    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")


@pytest.mark.parametrize("when", ["start", "end", {"after_ms": 50}])
def test_a_killed_process_is_a_runtime_exit_error_and_the_next_one_works(
    miniature: Miniature, when: Any
) -> None:
    seconds = 0 if when == "end" else 5
    miniature.emulator.kill(miniature.name("Step"), when)

    error = miniature.invoke("Step", {"do": "sleep", "seconds": seconds})

    assert error["errorType"] == "Runtime.ExitError"
    assert miniature.invoke("Step", {"do": "poll", "polls": 1}) == {"do": "poll", "polls": 2}


@pytest.mark.parametrize(("moment", "times"), [("before", 0), ("after", 1)])
def test_a_process_killed_at_a_call_leaves_the_call_undone_or_done(
    miniature: Miniature, moment: str, times: int
) -> None:
    batch = uuid.uuid4().hex
    event = {"do": "run", "batch": batch, "number": 0}
    update = {"call": "dynamodb UpdateItem", "moment": moment}
    miniature.emulator.kill(miniature.name("Step"), update)

    error = miniature.invoke("Step", event)

    assert error["errorType"] == "Runtime.ExitError"
    assert miniature.times(batch, "run", 0) == times


def test_a_kill_that_finds_no_occasion_waits_for_the_next_invocation(
    miniature: Miniature,
) -> None:
    miniature.emulator.kill(miniature.name("Step"), {"call": "s3 PUT *"})

    assert miniature.invoke("Step", {"do": "poll", "polls": 1}) == {"do": "poll", "polls": 2}
    assert len(miniature.emulator.kills()["waiting"]) == 1


def test_what_runs_now_can_be_killed(miniature: Miniature) -> None:
    batch = uuid.uuid4().hex
    event = {"do": "linger", "batch": batch, "number": 0}
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(miniature.invoke, "Step", event)
        await_(lambda: miniature.times(batch, "linger", 0))

        miniature.emulator.kill(miniature.name("Step"), "now")

        assert answer.result()["errorType"] == "Runtime.ExitError"


def test_a_function_is_started_by_its_exec_wrapper(miniature: Miniature) -> None:
    assert "WRAPPED" in miniature.http.get("/desk").json()["variables"]


def test_an_answer_over_6_mb_is_refused(miniature: Miniature) -> None:
    authorizer = {"authorizer": {"owner": "mini"}}
    error = miniature.invoke(
        "Desk", {"queryStringParameters": {"do": "large"}, "requestContext": authorizer}
    )

    assert error["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_request_over_6_mb_is_refused(miniature: Miniature) -> None:
    with pytest.raises(ClientError, match="smaller than 6291456 bytes"):
        miniature.invoke("Step", {"do": "poll", "text": "x" * 6_300_000})


def test_an_asynchronous_request_over_1_mb_is_refused(miniature: Miniature) -> None:
    with pytest.raises(ClientError, match="smaller than 1048576 bytes"):
        miniature.session.client("lambda").invoke(
            FunctionName=miniature.name("Step"),
            InvocationType="Event",
            Payload='"' + "x" * 1_050_000 + '"',
        )


def test_a_function_may_only_do_what_its_role_says(miniature: Miniature) -> None:
    event = {"queryStringParameters": {"do": "denied"}}

    error = miniature.invoke("Desk", event)

    assert "not authorized to perform: s3:PutObject" in error["errorMessage"]


def test_the_log_tells_the_memory_that_an_invocation_needed(miniature: Miniature) -> None:
    miniature.invoke("Nap", {"do": "poll", "polls": 0})

    events = miniature.session.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{miniature.name('Nap')}", filterPattern="REPORT"
    )["events"]
    used = [event["message"].split("Max Memory Used: ")[1] for event in events]
    assert any(int(each.split()[0]) > 0 for each in used)
