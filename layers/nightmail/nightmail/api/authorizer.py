"""Who may use the API: API Gateway's Lambda authorizer for REST APIs.

The answer is cached by API Gateway for the key and not for the route, so it always speaks of the
whole API (Amazon API Gateway Developer Guide, "Use API Gateway Lambda authorizers").
"""

from __future__ import annotations

from typing import Any, Protocol

# API Gateway wants a principal for a refusal too.
_NOBODY = "nobody"


class KeyOwners(Protocol):
    def owner_of(self, key: str) -> str | None:
        """Whose key this is, or None."""


def authorize(event: dict[str, Any], keys: KeyOwners) -> dict[str, Any]:
    """The policy for an event of type TOKEN or REQUEST.

    A wrong key is denied, which the template answers with 401: it is no error of the function, which
    would alarm its operator.
    """
    key = _bearer_key(_authorization(event))
    owner = keys.owner_of(key) if key else None
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if owner else "Deny",
        "Resource": _whole_stage(event["methodArn"]),
    }
    return {
        "principalId": owner or _NOBODY,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"owner": owner} if owner else {},
    }


def _authorization(event: dict[str, Any]) -> str:
    if event.get("type") == "TOKEN":
        return str(event.get("authorizationToken") or "")
    headers = event.get("headers") or {}
    return next(
        (str(value) for name, value in headers.items() if name.lower() == "authorization"), ""
    )


def _bearer_key(authorization: str) -> str | None:
    """The key of `Bearer <key>` (RFC 6750); the scheme's case does not matter (RFC 9110)."""
    words = authorization.split()
    return words[1] if len(words) == 2 and words[0].lower() == "bearer" else None  # noqa: PLR2004


def _whole_stage(method_arn: str) -> str:
    """`arn:...:<api>/<stage>/<method>/<path>` as every method and path of that stage."""
    api, stage = method_arn.split("/")[:2]
    return f"{api}/{stage}/*"
