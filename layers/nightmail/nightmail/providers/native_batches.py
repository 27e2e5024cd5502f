"""What adapters of batch APIs over HTTP have in common: everything but their provider's own words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial

import httpx

from nightmail.deployment import Deployment
from nightmail.providers.base import Cursor, NumberOf, Phase, Progress, Result
from nightmail.providers.native_http import NativeClient
from nightmail.providers.native_results import Found, Reading, read_results


class HttpBatches(ABC):
    """One deployment's batches: half a BatchProvider. `http` has its base URL and sends `key`."""

    def __init__(self, deployment: Deployment, http: httpx.Client, key: str | None) -> None:
        self._name = deployment.provider
        self._key = key
        self._api = NativeClient(deployment.provider, http, key)

    @abstractmethod
    def poll(self, provider_batch_id: str) -> Progress:
        """How far it is."""

    @abstractmethod
    def _cancel_path(self, provider_batch_id: str) -> str:
        """Where a POST asks it to stop."""

    @abstractmethod
    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        """An output's bytes from offset `start` on."""

    @abstractmethod
    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        """What one line of an output tells, or None for garbage."""

    def results(
        self, output_ids: list[str], public_model: str, cursor: Cursor, number_of: NumberOf
    ) -> Iterator[Result]:
        """What is in the outputs from `cursor` on."""
        reading = Reading(self._name, self._key, public_model, number_of)
        read = partial(self._outcome, reading=reading)
        return read_results(output_ids, cursor, self._download, read)

    def cancel(self, provider_batch_id: str) -> None:
        """Ask it to stop; one that has ended already is no error."""
        self._api.cancel(
            self._cancel_path(provider_batch_id),
            has_ended=lambda: self.poll(provider_batch_id).phase is Phase.ENDED,
        )
