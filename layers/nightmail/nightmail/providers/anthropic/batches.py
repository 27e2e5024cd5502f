"""The native lane over HTTP: Anthropic's Message Batches.

Source: Anthropic's API description of Message Batches. Nothing of ours can be put on a batch there.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import time

from nightmail.deployment import Deployment
from nightmail.providers.anthropic.batch_results import (
    lines_of,
    made_at,
    to_outcome,
    to_progress,
)
from nightmail.providers.anthropic.provider import api_of, headers_of
from nightmail.providers.base import (
    Intent,
    Progress,
    ShardInput,
    Tag,
)
from nightmail.providers.native_batches import HttpBatches, in_one_body
from nightmail.providers.native_http import open_client
from nightmail.providers.native_lists import list_by_ids, made_since
from nightmail.providers.native_results import Found, Reading

_PATH = "/messages/batches"
_HEAD, _FOOT = b'{"requests":[', b"]}"


class AnthropicBatches(HttpBatches):
    """One deployment's batches."""

    is_tagged = False

    def prepare(self, content: ShardInput, tag: Tag) -> str:  # noqa: ARG002 - it costs no call
        """Nothing: the requests go with the submission."""
        return ""

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - a body has no place for them
        return self._api.start(_PATH, **in_one_body(_HEAD, content, _FOOT))

    def find(self, intent: Intent) -> list[str]:
        every = list_by_ids(self._api, _PATH, after="after_id")
        listed = made_since(intent.since, every, made_at, newest_first=True)
        # One whose counts are all 0 does not tell yet how many it has.
        return [self._api.id_of(each) for each in listed if lines_of(each) in {intent.lines, 0}]

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._api.look(f"{_PATH}/{provider_batch_id}"))

    def _cancel_path(self, provider_batch_id: str) -> str:
        return f"{_PATH}/{provider_batch_id}/cancel"

    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        # Not from `results_url`: where it leads, the key would go too.
        return self._api.download(f"{_PATH}/{output_id}/results", start)

    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        return to_outcome(content, reading, created=int(time()))


def open_anthropic(deployment: Deployment, key: str | None) -> AnthropicBatches:
    """With a client whose connections are the deployment's."""
    headers = tuple(headers_of(key).items())
    http = open_client(api_of(deployment), headers, deployment.timeout_seconds)
    return AnthropicBatches(deployment, http, key)
