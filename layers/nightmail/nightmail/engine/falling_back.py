"""Whether another model may answer what one has refused."""

from __future__ import annotations

_CALLERS_OWN = frozenset({400, 413, 422})  # another model would be asked the same wrong thing
_TOO_LONG = "context_length_exceeded"  # but a longer context may hold it
WRONG_KIND = "OperationNotSupported"  # Azure: a deployment of another type may be asked for it


def may_fall_back(status: int | None, code: str | None) -> bool:
    """By the HTTP status and the code of an error; None where there was no answer."""
    return status not in _CALLERS_OWN or code in (_TOO_LONG, WRONG_KIND)


def is_callers_own(status: int | None, code: str | None) -> bool:
    """Whether deployments of the same model would say the same."""
    return status in _CALLERS_OWN and code != WRONG_KIND
