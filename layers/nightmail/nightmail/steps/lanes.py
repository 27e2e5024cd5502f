"""Which way a model's lines go: by the provider's batch API, or by calls of our own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nightmail.batch import Batch
from nightmail.deployment import Deployment, Lane
from nightmail.errors import NotFound
from nightmail.providers.base import Limits, ProviderOf
from nightmail.providers.registry import has_direct_lane, has_native_lane
from nightmail.steps.part_writer import Way

_CHUNK_BYTES = 4 * 1024 * 1024


class Lanes:
    """Chooses for one batch. A worker takes up to `chunk_lines` lines at a time."""

    def __init__(self, batch: Batch, provider_of: ProviderOf, chunk_lines: int) -> None:
        self._batch = batch
        self._provider_of = provider_of
        self._chunk = Limits(lines=chunk_lines, bytes=_CHUNK_BYTES)

    def choose(self, model: str, deployments: Iterable[Deployment]) -> Deployment:
        """The first that has a native lane here, else the first that we can call.

        Its `lane` is the one that it takes; `auto` is native for as many lines as the provider wants at
        least. Raises NotFound where nobody has one, and CredentialMissing.
        """
        deployments = list(deployments)
        ways = {place: self._lane_of(each) for place, each in enumerate(deployments)}
        for wanted in ({"native", "auto"}, {"direct"}):
            for place, lane in ways.items():
                if lane in wanted:
                    return deployments[place].model_copy(update={"lane": lane})
        providers = ", ".join(sorted({deployment.provider for deployment in deployments}))
        raise NotFound(
            f"The provided model '{model}' is not supported by the Batch API: it is served by"
            f" {providers}, whose batches this gateway does not speak."
        )

    def way(self, deployment: Deployment) -> Way:
        """How the lines of a chosen deployment go."""
        if deployment.lane == "direct":
            return Way(self._batch.endpoint, deployment, self._chunk)
        provider = self._provider_of(deployment)
        limits = provider.limits
        if deployment.lane == "native":
            limits = replace(limits, minimum_lines=1)
        return Way(self._batch.endpoint, deployment, limits, provider.to_line)

    def _lane_of(self, deployment: Deployment) -> Lane | None:
        can_call = has_direct_lane(deployment.provider)
        wanted = self._batch.lane or deployment.lane
        if wanted != "direct" and has_native_lane(deployment.provider):
            if wanted == "native":
                return "native"
            if self._is_in_time(deployment):
                return "auto" if can_call else "native"
        return "direct" if can_call and wanted != "native" else None

    def _is_in_time(self, deployment: Deployment) -> bool:
        """Whether the batch's window is no shorter than the provider's."""
        window_seconds = self._batch.expires_at - self._batch.created_at
        return self._provider_of(deployment).limits.window_seconds <= window_seconds
