"""OpenAI's error envelope, and the errors that this simulator raises."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer that is an error: an HTTP status with OpenAI's envelope around a message."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.headers = headers or {}

    def envelope(self) -> dict[str, Any]:
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def missing_parameter(name: str) -> ApiError:
    message = f"Missing required parameter: '{name}'."
    return ApiError(400, message, code="missing_required_parameter", param=name)


def unknown_parameter(name: str) -> ApiError:
    message = f"Unknown parameter: '{name}'."
    return ApiError(400, message, code="unknown_parameter", param=name)


def invalid_type(name: str, expected: str, given: object) -> ApiError:
    message = f"Invalid type for '{name}': expected {expected}, but got {_kind_of(given)} instead."
    return ApiError(400, message, code="invalid_type", param=name)


def invalid_value(name: str, given: object, supported: list[str]) -> ApiError:
    quoted = [f"'{value}'" for value in supported]
    listed = ", ".join(quoted[:-1]) + ", and " + quoted[-1] if len(quoted) > 1 else quoted[0]
    message = f"Invalid value: '{given}'. Supported values are: {listed}."
    return ApiError(400, message, code="invalid_value", param=name)


def out_of_range(name: str, least: int, most: int) -> ApiError:
    message = f"Invalid '{name}': expected an integer from {least} to {most}."
    return ApiError(400, message, code="invalid_value", param=name)


def file_not_found(file_id: str) -> ApiError:
    return ApiError(404, f"No such File object: {file_id}", param="id")


def batch_not_found(batch_id: str) -> ApiError:
    return ApiError(404, f"No batch found with id '{batch_id}'.")


def model_not_found(model: str) -> ApiError:
    message = f"The model '{model}' does not exist or you do not have access to it."
    return ApiError(404, message, code="model_not_found", param="model")


def key_missing() -> ApiError:
    message = "No API key was given. Send it as 'Authorization: Bearer KEY'."
    return ApiError(401, message, code="invalid_api_key")


def key_refused(ending: str) -> ApiError:
    message = f"Incorrect API key provided: ****{ending}."
    return ApiError(401, message, code="invalid_api_key")


def failure(status: int) -> ApiError:
    """The error that OpenAI typically sends with this status."""
    other = _OTHER_FAILURE if status >= _LEAST_FAILURE else _OTHER_REFUSAL
    kind, code, param, message = _TYPICAL.get(status, other)
    headers = {"retry-after": "1"} if status in {429, 503} else {}
    return ApiError(status, message, kind=kind, code=code, param=param, headers=headers)


def _kind_of(value: object) -> str:
    """The word that OpenAI has for a JSON value's type."""
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean"}
    kinds |= {int: "an integer", float: "a decimal", type(None): "null"}
    return kinds.get(type(value), "something else")


_LEAST_FAILURE = 500
_Typical = tuple[str, str | None, str | None, str]
_OTHER_REFUSAL: _Typical = ("invalid_request_error", None, None, "This request was refused.")
_OTHER_FAILURE: _Typical = ("server_error", None, None, "The server did not answer this request.")
_TYPICAL: dict[int, _Typical] = {
    400: (
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
        "This model's maximum context length is 128000 tokens, and this request has more.",
    ),
    401: ("invalid_request_error", "invalid_api_key", None, "Incorrect API key provided."),
    403: ("invalid_request_error", None, None, "This project has no access to this model."),
    404: ("invalid_request_error", "model_not_found", "model", "This model does not exist."),
    429: ("requests", "rate_limit_exceeded", None, "Rate limit reached. Try again in 1s."),
    500: ("server_error", None, None, "The server had an error while processing the request."),
    502: ("server_error", None, None, "A server on the way gave no valid answer."),
    503: ("server_error", "server_is_overloaded", None, "The server is overloaded. Try later."),
}
