"""Whether another model may answer what one has refused."""

from __future__ import annotations

_CALLERS_OWN = frozenset({400, 413, 422})  # another model would be asked the same wrong thing
_TOO_LONG = "context_length_exceeded"  # but a longer context may hold it


def may_fall_back(status: int | None, code: str | None) -> bool:
    """By the HTTP status and the code of an error; None where there was no answer."""
    return status not in _CALLERS_OWN or code == _TOO_LONG


def is_callers_own(status: int | None) -> bool:
    """Whether deployments of the same model would say the same."""
    return status in _CALLERS_OWN
