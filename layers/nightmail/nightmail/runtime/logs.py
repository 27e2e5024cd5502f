"""The function's log, in the format and from the level that its configuration asks for.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from typing import Any, Protocol

from nightmail.runtime.faults import Failure

_SECONDS = "%Y-%m-%dT%H:%M:%S"
_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(request_id)s\t%(message)s\n"
_NO_BREAK_SPACE = "\u00a0"  # the console strips plain ones off the beginning of a line
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request_id"}


class Sink(Protocol):
    """Where the log goes, one message at a time."""

    def write(self, message: str, level: int, /) -> None: ...


class StandardOutput:
    """Each line is a message to Lambda: those of one message are kept together by carriage returns."""

    def write(self, message: str, _level: int, /) -> None:
        sys.stdout.write(message.rstrip("\n").replace("\n", "\r") + "\n")


class Frames:
    """Lambda's log descriptor, on which a message may have lines.

    Four bytes that tell form and level, four of its length, eight of the time in microseconds (all of
    them big-endian), the message in UTF-8.
    """

    def __init__(self, descriptor: int, *, is_json: bool) -> None:
        self._descriptor = descriptor
        self._form = 0xA55A0002 if is_json else 0xA55A0003

    def write(self, message: str, level: int, /) -> None:
        content = message.encode()
        rank = min(level, logging.CRITICAL) // 10
        form = self._form + (4 * (rank + 1) if rank else 0)
        microseconds = time.time_ns() // 1000
        head = form.to_bytes(4, "big") + len(content).to_bytes(4, "big")
        frame = head + microseconds.to_bytes(8, "big") + content
        while frame:
            frame = frame[os.write(self._descriptor, frame) :]


class Log(logging.Handler):
    """The root logger's handler. `request_id` is the current invocation's."""

    def __init__(self, sink: Sink, *, is_json: bool) -> None:
        super().__init__()
        self.request_id = ""
        self._sink = sink
        self._is_json = is_json
        text = logging.Formatter(_TEXT, _SECONDS)
        text.converter = time.gmtime
        self.setFormatter(_JsonFormatter() if is_json else text)

    def emit(self, record: logging.LogRecord) -> None:
        record.request_id = self.request_id
        self._sink.write(self.format(record), record.levelno)

    def say(self, message: str) -> None:
        """A message without a form."""
        self._sink.write(message, logging.NOTSET)

    def tell(self, failure: Failure) -> None:
        """An error that ended an invocation, or the initialisation."""
        if self._is_json:
            when = time.strftime(_SECONDS, time.gmtime()) + "Z"
            told = {"timestamp": when, "level": "ERROR", **failure.described(self.request_id)}
            self._sink.write(_to_json(told), logging.ERROR)
            return
        kind = f"{failure.kind}: " if failure.message else failure.kind
        lines = [f"[ERROR] {kind}{failure.message}", "Traceback (most recent call last):"]
        lines += [_indented(line) for entry in failure.trace for line in entry.splitlines()]
        self._sink.write("\n".join(lines), logging.ERROR)


def open_log() -> Log:
    """The log as the environment wants it: AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    is_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    # The descriptor is not for the function's own processes.
    descriptor = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    sink = Frames(int(descriptor), is_json=is_json) if descriptor else StandardOutput()
    log = Log(sink, is_json=is_json)
    root = logging.getLogger()
    root.addHandler(log)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper().replace("TRACE", "DEBUG")
    if level in logging.getLevelNamesMapping():
        root.setLevel(level)
    return log


class _JsonFormatter(logging.Formatter):
    """One object a message, with what was handed over as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        is_object = isinstance(record.msg, dict) and not record.args
        told = {
            "timestamp": time.strftime(_SECONDS, time.gmtime(record.created)) + "Z",
            "level": record.levelname,
            "message": record.msg if is_object else record.getMessage(),
            "logger": record.name,
            "requestId": vars(record)["request_id"] or None,
            **_raised(record),
        }
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return _to_json(
            {name: value for name, value in {**extra, **told}.items() if value is not None}
        )


def _raised(record: logging.LogRecord) -> dict[str, Any]:
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, error, frames = record.exc_info
    return {
        "stackTrace": traceback.format_tb(frames),
        "errorType": kind.__name__,
        "errorMessage": str(error),
        "location": f"{record.pathname}:{record.funcName}:{record.lineno}",
    }


def _to_json(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, default=str) + "\n"


def _indented(line: str) -> str:
    bare = line.lstrip(" ")
    return _NO_BREAK_SPACE * (len(line) - len(bare)) + bare
