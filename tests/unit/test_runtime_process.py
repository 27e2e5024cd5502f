"""The runtime client as Lambda starts it: a process behind the wrapper, which speaks the Runtime API."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nightmail.runtime.logs import Frames

from tests.unit.runtime_api import ID, PREFIX, RuntimeDouble, start

CODE = """
import logging, os, sys
from nightmail.runtime.streamed import StreamedAnswer

def echo(event, context):
    return {"event": event, "trace": os.environ.get("_X_AMZN_TRACE_ID")}

def about(event, context):
    return {
        "id": context.aws_request_id, "name": context.function_name,
        "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
        "stream": context.log_stream_name, "left": context.get_remaining_time_in_millis(),
        "custom": context.client_context and context.client_context.custom,
        "app": context.client_context and context.client_context.client.app_title,
        "identity": context.identity.cognito_identity_id,
    }

def broken(event, context):
    raise ValueError("Not \\u00fc.")

def strange(event, context):
    return {1, 2}

def leaves(event, context):
    sys.exit(3)

def ends_midway(event, context):
    def body():
        yield b"half"
        sys.exit(4)
    return StreamedAnswer(200, {}, body())

def logs(event, context):
    log = logging.getLogger("own")
    log.debug("hidden")
    log.warning("two\\nlines", extra={"model": "m"})
    try:
        broken(event, context)
    except ValueError:
        log.exception("caught")
    print("printed")
    context.log({"said": "two\\nlines"})
    context.log("two\\nlines")
"""

# What goes into the log without its form.
SAID = [b"printed", b"{'said': 'two\\nlines'}", b"two\rlines"]
Begin = Callable[..., Any]


@pytest.fixture
def double() -> Iterator[RuntimeDouble]:
    lambda_side = RuntimeDouble()
    yield lambda_side
    lambda_side.close()


@pytest.fixture
def begin(double: RuntimeDouble, tmp_path: Path) -> Iterator[Begin]:
    (tmp_path / "function.py").write_text(CODE)
    (tmp_path / "wrong.py").write_text("def handler(:\n")
    (tmp_path / "needy.py").write_text("import no_such_package\n")
    (tmp_path / "failing.py").write_text("raise KeyError('config')\n")
    (tmp_path / "leaving.py").write_text("raise SystemExit(7)\n")
    processes = []

    def run(handler: str, **environment: str) -> Any:
        processes.append(start(double, handler, tmp_path, **environment))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def test_an_answer_is_the_handlers_as_json(double: RuntimeDouble, begin: Begin) -> None:
    begin("function.echo")

    posted = double.answer({"a": ["\u00fc", 1, None]})

    assert posted.path == f"{PREFIX}/invocation/{ID}/response"
    assert posted.headers["content-type"] == "application/json"
    assert "lambda-runtime-function-response-mode" not in posted.headers
    assert posted.json["event"] == {"a": ["\u00fc", 1, None]}


def test_the_trace_of_an_invocation_is_gone_with_it(double: RuntimeDouble, begin: Begin) -> None:
    begin("function.echo")

    first = double.answer({}, trace_id="Root=1-5bef4de7;Sampled=1")
    second = double.answer({})

    assert (first.json["trace"], second.json["trace"]) == ("Root=1-5bef4de7;Sampled=1", None)


def test_the_context_tells_who_and_until_when(double: RuntimeDouble, begin: Begin) -> None:
    begin("function.about")
    client = {"custom": {"a": 1}, "client": {"app_title": "App"}}

    double.hand_over(
        {},
        seconds=100,
        invoked_function_arn="arn:aws:lambda:x",
        client_context=json.dumps(client),
        cognito_identity=json.dumps({"cognitoIdentityId": "who"}),
    )
    about = double.posted().json

    assert 0 < about.pop("left") <= 100_000
    assert about == {
        "id": ID,
        "name": "stack-chat",
        "arn": "arn:aws:lambda:x",
        "memory": "512",
        "stream": "stream-1",
        "custom": {"a": 1},
        "app": "App",
        "identity": "who",
    }


def test_behind_the_deadline_no_time_is_left(double: RuntimeDouble, begin: Begin) -> None:
    begin("function.about")

    double.hand_over({}, seconds=-5)

    assert double.posted().json["left"] == 0


def test_an_exception_is_the_invocations_error_and_the_next_event_is_served(
    double: RuntimeDouble, begin: Begin
) -> None:
    begin("function.broken")

    for _ in range(2):
        posted = double.answer({})

        assert posted.path == f"{PREFIX}/invocation/{ID}/error"
        assert posted.headers["lambda-runtime-function-error-type"] == "ValueError"
        assert posted.json["errorMessage"] == "Not \u00fc."
        assert posted.json["errorType"] == "ValueError"
        assert posted.json["requestId"] == ID
        (frame,) = posted.json["stackTrace"]
        assert "function.py" in frame
        cause = json.loads(posted.headers["lambda-runtime-function-xray-error-cause"])
        assert cause["exceptions"][0]["type"] == "ValueError"
        assert cause["exceptions"][0]["stack"][0]["label"] == "broken"


@pytest.mark.parametrize(
    ("event", "headers", "kind"),
    [
        ({}, {}, "Runtime.MarshalError"),
        (b"not JSON", {}, "Runtime.UnmarshalError"),
        ({}, {"client_context": "{"}, "Runtime.LambdaContextUnmarshalError"),
        ({}, {"cognito_identity": "[]"}, "Runtime.LambdaContextUnmarshalError"),
    ],
)
def test_what_cannot_be_read_or_written_is_an_error_of_the_invocation(
    double: RuntimeDouble, begin: Begin, event: Any, headers: dict[str, Any], kind: str
) -> None:
    begin("function.strange")

    posted = double.answer(event, **headers)

    assert posted.path.endswith("/error")
    assert posted.json["errorType"] == kind
    assert posted.json["errorMessage"]


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        ("nodot", "Runtime.MalformedHandlerName"),
        ("sys.exit", "Runtime.BuiltInModuleConflict"),
        ("nowhere.handler", "Runtime.ImportModuleError"),
        ("needy.handler", "Runtime.ImportModuleError"),
        ("function.nothing", "Runtime.HandlerNotFound"),
        ("wrong.handler", "Runtime.UserCodeSyntaxError"),
        ("failing.handler", "KeyError"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_an_error_of_the_initialisation(
    double: RuntimeDouble, begin: Begin, handler: str, kind: str
) -> None:
    process = begin(handler)

    posted = double.posted()
    double.accept()

    assert posted.path == f"{PREFIX}/init/error"
    assert posted.headers["lambda-runtime-function-error-type"] == kind
    assert posted.json["errorType"] == kind
    assert posted.json["errorMessage"]
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert kind in output.decode()


@pytest.mark.parametrize(("handler", "status"), [("leaving.handler", 7), ("function.leaves", 3)])
def test_code_that_exits_ends_the_process_with_its_status(
    double: RuntimeDouble, begin: Begin, handler: str, status: int
) -> None:
    process = begin(handler)
    if handler.startswith("function"):
        double.hand_over({})

    assert process.wait(30) == status


def test_a_stream_whose_code_exits_is_left_without_its_end(
    double: RuntimeDouble, begin: Begin
) -> None:
    process = begin("function.ends_midway")
    double.hand_over({})

    posted = double.posted()
    posted.prelude()
    chunks = posted.chunks()

    assert next(chunks) == b"half"
    assert process.wait(30) == 4
    assert posted.source.read() == b""


def test_an_answer_that_lambda_refuses_ends_the_process(
    double: RuntimeDouble, begin: Begin
) -> None:
    process = begin("function.echo")
    double.hand_over({})
    double.posted()

    double.refuse()

    assert process.wait(30) == 1


def test_a_log_of_json_is_an_object_a_line(double: RuntimeDouble, begin: Begin) -> None:
    process = begin("function.logs", AWS_LAMBDA_LOG_FORMAT="JSON", AWS_LAMBDA_LOG_LEVEL="INFO")
    double.answer({})
    double.close()

    output, _ = process.communicate(timeout=30)

    warning, caught = (json.loads(line) for line in output.splitlines()[:2])
    assert warning.pop("timestamp").endswith("Z")
    assert warning == {
        "level": "WARNING",
        "message": "two\nlines",
        "logger": "own",
        "requestId": ID,
        "model": "m",
    }
    assert (caught["errorType"], caught["errorMessage"]) == ("ValueError", "Not \u00fc.")
    assert caught["location"].count(":") == 2
    assert output.split(b"\n")[2:] == [*SAID, b""]


def test_an_error_in_a_log_of_json_is_an_object_too(double: RuntimeDouble, begin: Begin) -> None:
    process = begin("function.broken", AWS_LAMBDA_LOG_FORMAT="JSON")
    double.answer({})
    double.close()

    output, _ = process.communicate(timeout=30)

    told = json.loads(output.splitlines()[0])
    assert (told["level"], told["errorType"], told["requestId"]) == ("ERROR", "ValueError", ID)


def test_a_log_of_text_has_the_requests_id_and_a_line_for_each_message(
    double: RuntimeDouble, begin: Begin
) -> None:
    process = begin("function.logs")
    double.answer({})
    double.close()

    lines = process.communicate(timeout=30)[0].decode().split("\n")

    level, when, request_id, message = lines[0].split("\t")
    assert (level, request_id) == ("[WARNING]", ID)
    assert when.endswith("Z")
    assert message == "two\rlines"
    assert lines[1].startswith("[ERROR]\t")
    assert "ValueError" in lines[1]
    assert [line.encode() for line in lines[2:]] == [*SAID, b""]


@pytest.mark.parametrize(
    ("is_json", "level", "form"),
    [
        (False, logging.NOTSET, 0xA55A0003),
        (False, logging.INFO, 0xA55A000F),
        (True, logging.DEBUG, 0xA55A000A),
        (True, logging.ERROR, 0xA55A0016),
        (True, 70, 0xA55A001A),
    ],
)
def test_lambdas_log_descriptor_gets_frames(is_json: bool, level: int, form: int) -> None:
    reading, writing = os.pipe()

    Frames(writing, is_json=is_json).write("two\n\u00fc", level)

    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    assert int.from_bytes(content[:4], "big") == form
    assert int.from_bytes(content[4:8], "big") == len(content) - 16
    assert content[16:].decode() == "two\n\u00fc"
