"""The whole error tree.

GatewayError
├── CallerError              the request is wrong; the caller can mend it
│   ├── InvalidRequest       400   a field is missing or wrong
│   │   └── NotInBatches           a provider takes it by itself, and in no batch
│   ├── NotFound             404   no such object, or another owner's
│   ├── StatusConflict       409   the object is in another state
│   ├── IdempotencyConflict  409   one Idempotency-Key, two different requests
│   └── TooLarge             413   over what one request may carry
├── ConfigError              500   the deployment's own settings
│   ├── InvalidConfig              a key of the config file is wrong
│   └── CredentialMissing          a name that the secret does not hold
├── ProviderError            502   what a provider answered
│   ├── ProviderThrottled          429: wait and try again           (retryable)
│   ├── ProviderUnavailable        it did not answer, or a 5xx       (retryable)
│   ├── ProviderTimedOut     504   it did not answer in time         (retryable)
│   ├── ProviderQueueFull          too many enqueued tokens          (retryable)
│   ├── ProviderUnclear            it may or may not have accepted
│   ├── ProviderNotFound           it does not know the id
│   ├── ProviderRejected           it refused the key, model, file or request
│   └── ProviderGarbled            an answer that is not its protocol
├── AllModelsFailed                nobody won a race; its status is made of the models' own
└── StorageError             503   our own stores
    ├── StorageUnavailable         throttled or away                 (retryable)
    ├── WriteConflict              somebody else wrote first         (retryable)
    └── LeaseLost                  another worker holds the shard    (retryable)

Leaves are raised, bases are caught. Step Functions compares class names letter for letter, so the
state machine lists leaves.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GatewayError(Exception):
    """The root. `message` may be shown to a caller: no internals and no secrets in it."""

    http_status: int = 500
    type: str = "server_error"
    retryable: ClassVar[bool] = False
    default_code: ClassVar[str | None] = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.default_code


class CallerError(GatewayError):
    http_status = 400
    type = "invalid_request_error"


class InvalidRequest(CallerError):
    pass


class NotInBatches(InvalidRequest):
    """Raised for a line that the direct lane takes, and answered to nobody who has one."""


class NotFound(CallerError):
    http_status = 404


class StatusConflict(CallerError):
    http_status = 409


class IdempotencyConflict(CallerError):
    http_status = 409
    default_code = "idempotency_conflict"


class TooLarge(CallerError):
    http_status = 413
    default_code = "request_too_large"


class ConfigError(GatewayError):
    pass


class InvalidConfig(ConfigError):
    default_code = "invalid_config"


class CredentialMissing(ConfigError):
    default_code = "credential_missing"


class ProviderError(GatewayError):
    """What a provider answered: `provider` is its name, `upstream_status` its HTTP status, `meaning` the
    one that fits what it said where another came: in a 200, or for a wrong key that is a 400.

    `received_tokens` is about how much of a stream had come before it broke.
    """

    http_status = 502

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        upstream_status: int | None = None,
        retry_after_seconds: float | None = None,
        param: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code)
        self.provider = provider
        self.upstream_status = upstream_status
        self.retry_after_seconds = retry_after_seconds
        self.meaning = upstream_status
        self.received_tokens = 0


class ProviderThrottled(ProviderError):
    http_status = 429
    type = "rate_limit_exceeded"
    retryable = True
    default_code = "rate_limit_exceeded"


class ProviderUnavailable(ProviderError):
    retryable = True
    default_code = "provider_unavailable"


class ProviderTimedOut(ProviderError):
    http_status = 504
    retryable = True
    default_code = "provider_timed_out"


class ProviderQueueFull(ProviderError):
    http_status = 429
    retryable = True
    default_code = "token_limit_exceeded"


class ProviderUnclear(ProviderError):
    default_code = "submission_unclear"


class ProviderNotFound(ProviderError):
    default_code = "provider_batch_not_found"


class ProviderRejected(ProviderError):
    default_code = "provider_rejected"


class ProviderGarbled(ProviderError):
    default_code = "provider_garbled"


class AllModelsFailed(GatewayError):
    """Nobody won a race. `models` tells of each one, in order: `model`, `status`, `code`, `message`."""

    default_code = "all_models_failed"

    def __init__(
        self,
        message: str,
        *,
        models: list[dict[str, Any]],
        http_status: int,
        error_type: str,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.models = models
        self.http_status = http_status
        self.type = error_type
        self.retry_after_seconds = retry_after_seconds


class StorageError(GatewayError):
    http_status = 503


class StorageUnavailable(StorageError):
    retryable = True


class WriteConflict(StorageError):
    retryable = True


class LeaseLost(StorageError):
    retryable = True
