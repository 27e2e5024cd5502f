"""The native lane over HTTP: Fireworks' batch inference jobs.

Source: Fireworks' API description ("Batch inference jobs", "Datasets"). A job has the id that we give
it, so that it is made once and found again. Deleting a job would stop it and take its results away.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx

from nightmail.deployment import Deployment
from nightmail.errors import ProviderNotFound, ProviderUnavailable
from nightmail.providers.base import (
    Cursor,
    Intent,
    NumberOf,
    Progress,
    Result,
    ShardInput,
    Tag,
)
from nightmail.providers.direct import JsonObject
from nightmail.providers.fireworks.batch_results import made_at, to_outcome, to_progress
from nightmail.providers.fireworks.card import BATCHES, SERVER, account_of
from nightmail.providers.json_text import mapping_of
from nightmail.providers.native_batches import HttpResults, in_form
from nightmail.providers.native_http import NativeClient, open_client
from nightmail.providers.native_lists import list_by_tokens, made_since
from nightmail.providers.native_results import Found, Reading
from nightmail.providers.openai_protocol.request import base_of, model_of

_UNREAD = "UPLOADING"


class FireworksBatches(HttpResults):
    """One deployment's jobs. Jobs and datasets have names for ids: `accounts/mine/datasets/abc`.

    `storage` is a client that sends no key: results lie at another server.
    """

    is_tagged = True

    def __init__(
        self, deployment: Deployment, http: httpx.Client, key: str | None, *, storage: httpx.Client
    ) -> None:
        super().__init__(deployment, http, key, identity="name")
        account = f"/accounts/{quote(account_of(deployment) or '', safe='')}"
        self._datasets, self._jobs = f"{account}/datasets", f"{account}/batchInferenceJobs"
        self._model = model_of(deployment, SERVER)
        self._storage = NativeClient(self._name, storage, None)

    def prepare(self, content: ShardInput, tag: Tag) -> str:
        """Make a dataset and upload its file, unless a try before this one did."""
        dataset = f"{self._datasets}/{_id_of(tag)}"
        if self._make_dataset(content, tag) or not self._is_read(dataset):
            form = in_form({}, "input.jsonl", content)
            self._api.send("POST", f"{dataset}:upload", **form)
        return dataset.removeprefix("/")

    def submit(self, prepared: str, content: ShardInput, endpoint: str, tag: Tag) -> str:  # noqa: ARG002 - there is one endpoint
        # Looked at here: waiting for `prepare` would upload the file again.
        if not self._is_read(f"/{prepared}"):
            raise ProviderUnavailable(
                f"{self._name} is still reading the dataset.", provider=self._name
            )
        job, own_id = {"model": self._model, "inputDatasetId": prepared}, _id_of(tag)
        return self._api.start(self._jobs, params={"batchInferenceJobId": own_id}, json=job)

    def find(self, intent: Intent) -> list[str]:
        own_id = _id_of(intent.tag)
        try:
            return [self._api.id_of(self._api.look(f"{self._jobs}/{own_id}"))]
        except ProviderNotFound:
            # Nothing is found at a wrong address either: there has to be a list, and it not in it.
            jobs = made_since(intent.since, self._newest_first(), made_at, newest_first=True)
            names = map(self._api.id_of, jobs)
            return [name for name in names if name.endswith(f"/{own_id}")]

    def poll(self, provider_batch_id: str) -> Progress:
        return to_progress(self._api.look(f"/{provider_batch_id}"), BATCHES)

    def cancel(self, provider_batch_id: str) -> None:
        """Nothing: a job runs to its end, and is paid."""

    def _newest_first(self) -> Iterator[JsonObject]:
        return list_by_tokens(
            self._api,
            self._jobs,
            entries="batchInferenceJobs",
            wanted={"orderBy": "create_time desc"},
        )

    def _make_dataset(self, content: ShardInput, tag: Tag) -> bool:
        """Whether there was none yet."""
        dataset = {"userUploaded": {}, "exampleCount": str(content.lines)}
        request = {"datasetId": _id_of(tag), "dataset": dataset}
        try:
            self._api.send("POST", self._datasets, json=request)
        except ProviderUnavailable as error:
            if error.upstream_status != httpx.codes.CONFLICT:
                raise
            return False
        return True

    def _is_read(self, dataset: str) -> bool:
        return self._api.look(dataset).get("state") != _UNREAD

    def results(
        self, output_ids: list[str], public_model: str, cursor: Cursor, number_of: NumberOf
    ) -> Iterator[Result]:
        """What is in all files of the datasets from `cursor` on: it is not told what those are called."""
        files = [file for dataset in output_ids for file in self._files_of(dataset)]
        yield from super().results(files, public_model, cursor, number_of)

    def _files_of(self, dataset: str) -> list[str]:
        """Their URLs, in the order of their names."""
        answer = self._api.look(f"/{dataset}:getDownloadEndpoint")
        urls = mapping_of(answer.get("filenameToSignedUrls"))
        return [url for _, url in sorted(urls.items()) if isinstance(url, str)]

    def _download(self, output_id: str, start: int) -> Iterator[bytes]:
        return self._storage.download(output_id, start)

    def _outcome(self, content: bytes, reading: Reading) -> Found | None:
        return to_outcome(content, reading)


def open_fireworks(deployment: Deployment, key: str | None) -> FireworksBatches:
    """With clients whose connections are the deployment's."""
    # Jobs are managed beside the server of the models: api.fireworks.ai/v1.
    base = base_of(deployment, SERVER).replace("/inference/v1", "/v1")
    headers = (("authorization", f"Bearer {key}"),) if key else ()
    http = open_client(base, headers, deployment.timeout_seconds)
    storage = open_client("", (), deployment.timeout_seconds)
    return FireworksBatches(deployment, http, key, storage=storage)


def _id_of(tag: Tag) -> str:
    """Of a dataset and of a job: small letters, digits and hyphens."""
    batch = tag.batch_id.replace("_", "-")
    return f"{batch}-{tag.shard}-{tag.round}-{tag.attempt}"
