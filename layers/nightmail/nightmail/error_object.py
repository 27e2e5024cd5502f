"""An error as OpenAI's error object, the one place where that is done."""

from __future__ import annotations

from typing import Any

from nightmail.errors import AllModelsFailed, GatewayError, ProviderError


def error_object(error: GatewayError) -> dict[str, Any]:
    """What stands under `error`: OpenAI's four keys, `param` and `code` nullable.

    A provider's error has `nightmail` beside them: its `provider`, and the HTTP `status` that came
    from it (null where it did not answer), and of a stream that broke about how many tokens had come
    (`received_tokens`). A race that nobody won has `models`.
    """
    described: dict[str, Any] = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    if isinstance(error, ProviderError):
        described["nightmail"] = {"provider": error.provider, "status": error.upstream_status}
        if error.received_tokens:
            described["nightmail"]["received_tokens"] = error.received_tokens
    if isinstance(error, AllModelsFailed):
        described["models"] = error.models
    return described
