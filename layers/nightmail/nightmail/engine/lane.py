"""One deployment while an engine runs: its adapter, its pace, and how it has answered so far."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from nightmail.deployment import Deployment
from nightmail.engine.backoff import FIRST_SECONDS
from nightmail.engine.pace import Pace
from nightmail.errors import ProviderError, ProviderThrottled, ProviderTimedOut
from nightmail.providers.direct import DirectOf, DirectProvider

LONGEST_WAIT_SECONDS = 60.0
"""Who wants to be left alone for longer is asked no more."""
_OVERLOADED = 529  # Anthropic's status, and others' after it


@dataclass(eq=False, slots=True)
class Lane:
    """The way to one deployment. Times are the event loop's, in seconds."""

    deployment: Deployment
    pace: Pace
    direct_of: DirectOf
    busy: int = 0
    """Calls that wait for it or for its answer."""
    good_at: float = -math.inf
    """When its last good answer came."""
    paused_until: float = -math.inf
    """As the provider said, or thereabouts; before it, others are asked rather."""
    refused: bool = False
    """It refused for good, and has not answered well since."""
    _throttle: ProviderError | None = None
    """What slowed it down, while no good answer has come since."""
    _closed_until: float = -math.inf
    """As the provider said; before it, nobody is asked."""
    _provider: DirectProvider | None = None

    def provider(self) -> DirectProvider:
        """Its adapter. Raises what `direct_of` raises."""
        if self._provider is None:
            self._provider = self.direct_of(self.deployment)
        return self._provider

    def answered_well(self) -> None:
        self.good_at = asyncio.get_running_loop().time()
        self.refused = False
        if self._closed_until <= self.good_at:
            self._throttle = None
        self.pace.speed_up()

    def failed(self, error: ProviderError) -> None:
        """Slow everybody down where the provider is overloaded, or says when to come back."""
        if not slows_down(error):
            return
        now, told = asyncio.get_running_loop().time(), error.retry_after_seconds
        self._throttle = error
        self.paused_until = max(self.paused_until, now + (FIRST_SECONDS if told is None else told))
        self._closed_until = max(self._closed_until, now + (told or 0))
        self.pace.slow_down(None if told is None else min(told, LONGEST_WAIT_SECONDS))

    def seconds_closed(self) -> float:
        """How long the provider still wants to be left alone; 0 where it does not."""
        if self._throttle is None:
            return 0.0
        return max(0.0, self._closed_until - asyncio.get_running_loop().time())

    def held_back(self) -> ProviderError:
        """What a call hears that cannot wait until it may be sent."""
        if self._throttle is None:
            return ProviderTimedOut(
                f"{self.deployment.provider} was not asked in time: the limits of "
                f"{self.deployment.name} held the request back.",
                provider=self.deployment.provider,
            )
        return ProviderThrottled(
            self._throttle.message,
            provider=self._throttle.provider,
            upstream_status=self._throttle.upstream_status,
            retry_after_seconds=self.seconds_closed() or None,
            code=self._throttle.code,
        )


def is_throttle(error: ProviderError) -> bool:
    """Whether the provider has too much to do, rather than something against this request."""
    return isinstance(error, ProviderThrottled) or error.upstream_status == _OVERLOADED


def slows_down(error: ProviderError) -> bool:
    """Whether a whole deployment waits after it."""
    return is_throttle(error) or (error.retryable and error.retry_after_seconds is not None)
