"""What the functions raise: the class names of OpenAI's client.

NightmailError
└── APIError
    ├── APIConnectionError           nobody answered
    │   └── APITimeoutError          not in time (also called Timeout)
    └── APIStatusError               an HTTP status other than 2xx
        ├── BadRequestError          400
        ├── AuthenticationError      401
        ├── PermissionDeniedError    403
        ├── NotFoundError            404
        ├── ConflictError            409
        ├── UnprocessableEntityError 422
        ├── RateLimitError           429
        └── InternalServerError      500 and above
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "InternalServerError",
    "NightmailError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "Timeout",
    "UnprocessableEntityError",
]


class NightmailError(Exception):
    """The root.

    `model` is the name that was asked for (of several, all with commas between), `llm_provider` who
    answered or would have; `status_code` is None where nothing came that has one. Of a race that nobody
    won, `models` tells of each model.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        model: str | None = None,
        llm_provider: str | None = None,
        param: str | None = None,
        code: str | None = None,
        type: str | None = None,  # noqa: A002 - the name that the envelope has
        retry_after_seconds: float | None = None,
        models: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.model = model
        self.llm_provider = llm_provider
        self.param = param
        self.code = code
        self.type = type
        self.retry_after_seconds = retry_after_seconds
        self.models = models


class APIError(NightmailError):
    pass


class APIConnectionError(APIError):
    pass


class APITimeoutError(APIConnectionError):
    pass


Timeout = APITimeoutError


class APIStatusError(APIError):
    pass


class BadRequestError(APIStatusError):
    pass


class AuthenticationError(APIStatusError):
    pass


class PermissionDeniedError(APIStatusError):
    pass


class NotFoundError(APIStatusError):
    pass


class ConflictError(APIStatusError):
    pass


class UnprocessableEntityError(APIStatusError):
    pass


class RateLimitError(APIStatusError):
    pass


class InternalServerError(APIStatusError):
    pass
