"""How long a caller wants to wait: the header Prefer (RFC 7240)."""

from __future__ import annotations

from dataclasses import dataclass

RESPOND_ASYNC = "respond-async"
_LONGEST_WAIT = 6  # digits; more is no number of seconds that anybody waits


@dataclass(frozen=True)
class Preferences:
    """`wait_seconds` is None where the header does not say."""

    respond_async: bool = False
    wait_seconds: int | None = None

    @property
    def is_for_later(self) -> bool:
        """Whether nobody waits at all."""
        return self.respond_async and self.wait_seconds is None


def preferences_of(header: str) -> Preferences:
    """What the header asks for; preferences that are unknown or malformed are ignored (section 2)."""
    asked: dict[str, str] = {}
    for preference in header.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        asked.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = asked.get("wait", "")
    is_number = wait.isascii() and wait.isdecimal() and len(wait) <= _LONGEST_WAIT
    return Preferences(RESPOND_ASYNC in asked, int(wait) if is_number else None)
