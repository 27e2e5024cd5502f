"""Which lane a deployment's lines take: the provider's batch API, or calls of our own."""

from __future__ import annotations

from dataclasses import replace

from nightmail.batch import Batch
from nightmail.bill import TakenLane
from nightmail.deployment import Deployment
from nightmail.providers.base import FormatOf, Limits
from nightmail.providers.registry import (
    can_cancel,
    direct_endpoints,
    has_direct_lane,
    has_native_lane,
)

_CHUNK_BYTES = 4 * 1024 * 1024
_REFUSED = Limits(lines=10_000, bytes=16 * 1024 * 1024)


class Lanes:
    """Chooses for one batch. A worker takes up to `chunk_lines` lines at a time."""

    def __init__(self, batch: Batch, format_of: FormatOf, chunk_lines: int) -> None:
        self._batch = batch
        self.format_of = format_of
        self._chunk = Limits(lines=chunk_lines, bytes=_CHUNK_BYTES)

    def wanted(self, deployment: Deployment) -> Deployment:
        """The deployment with the lane that is wanted of it here."""
        lane = self._batch.lane
        return deployment.model_copy(update={"lane": lane}) if lane else deployment

    def is_served(self, deployment: Deployment) -> bool:
        """Whether it has a lane that is wanted of it, be it for other endpoints."""
        has_native = deployment.lane != "direct" and has_native_lane(deployment)
        return has_native or _may_be_called(deployment)

    def lane_of(self, deployment: Deployment, endpoint: str) -> TakenLane | None:
        """The cheapest lane that is in time; None where it has none for this endpoint."""
        can_call = _can_call(deployment, endpoint)
        if self._has_native(deployment, endpoint) and (
            deployment.lane == "native" or not can_call or self._is_in_time(deployment)
        ):
            return "native"
        return "direct" if can_call else None

    def may_call(self, deployment: Deployment, endpoint: str) -> bool:
        """Whether its direct lane has this endpoint, and is wanted."""
        return _can_call(deployment, endpoint)

    def limits(self, deployment: Deployment, endpoint: str, lane: str) -> Limits:
        """What one part may have, and the fewest lines that make a shard."""
        if lane == "refused":
            return _REFUSED
        if lane == "direct":
            return self._chunk
        limits = self.format_of(deployment).limits
        return limits if _can_call(deployment, endpoint) else replace(limits, minimum_lines=1)

    def _has_native(self, deployment: Deployment, endpoint: str) -> bool:
        if deployment.lane == "direct" or not has_native_lane(deployment):
            return False
        return endpoint in self.format_of(deployment).endpoints

    def _is_in_time(self, deployment: Deployment) -> bool:
        """Whether the batch's window is no shorter than the provider's, or what is left of it in the end
        can be stopped and called.
        """
        window_seconds = self._batch.expires_at - self._batch.created_at
        is_long = self.format_of(deployment).limits.window_seconds <= window_seconds
        return is_long or (self._batch.on_deadline == "finish_direct" and can_cancel(deployment))


def _can_call(deployment: Deployment, endpoint: str) -> bool:
    return _may_be_called(deployment) and endpoint in direct_endpoints(deployment.provider)


def _may_be_called(deployment: Deployment) -> bool:
    return deployment.lane != "native" and has_direct_lane(deployment.provider)
