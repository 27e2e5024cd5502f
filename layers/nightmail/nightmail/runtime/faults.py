"""What went wrong, in the forms in which Lambda and X-Ray take it.

Types of errors of the runtime itself are named as Lambda's own client names them.
"""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass, field
from typing import Any

_OWN_FOLDER = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - pathlib costs a cold start more


class Fault(Exception):
    """An error of the runtime and not of the function's code; `kind` is what Lambda calls it."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


@dataclass(frozen=True)
class Failure:
    """An exception, described."""

    kind: str
    message: str
    trace: list[str]
    frames: list[traceback.FrameSummary] = field(default_factory=list)

    def described(self, request_id: str = "") -> dict[str, Any]:
        """Lambda's error object."""
        return {
            "errorMessage": self.message,
            "errorType": self.kind,
            "requestId": request_id,
            "stackTrace": self.trace,
        }

    def cause(self) -> dict[str, Any]:
        """X-Ray's description of it.

        https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html#api-segmentdocuments-errors
        """
        stack = [
            {"label": frame.name, "path": frame.filename, "line": frame.lineno}
            for frame in self.frames
        ]
        kind = "LambdaValidationError" if self.kind.startswith("Runtime.") else self.kind
        return {
            "working_directory": os.getcwd(),  # noqa: PTH109 - as above
            "exceptions": [{"message": self.message, "type": kind, "stack": stack}],
            "paths": sorted({frame.filename for frame in self.frames}),
        }


def failure_of(error: BaseException) -> Failure:
    """What to tell of an exception: the frames of the function's code, without ours before them."""
    if isinstance(error, Fault):
        return Failure(error.kind, str(error), error.trace)
    frames = list(traceback.extract_tb(error.__traceback__))
    while frames and frames[0].filename.startswith(_OWN_FOLDER):
        del frames[0]
    return Failure(type(error).__name__, str(error), traceback.format_list(frames), frames)
