"""Anthropic's batches at the provider simulator, for the tests of the simulator itself."""

from __future__ import annotations

import json
from typing import Any

import httpx

from local.simulator.client import SimulatorClient
from tests.simulated import Json
from tests.simulated_providers import message

PATH = "/v1/messages/batches"


def request(number: int, params: Json | None = None) -> Json:
    params = message(f"Question {number}") if params is None else params
    return {"custom_id": f"r{number}", "params": params}


class MessageBatches:
    """A plain HTTP client of the simulator as Anthropic, with the few calls that most tests make."""

    def __init__(self, simulator: SimulatorClient, http: httpx.Client) -> None:
        self.simulator = simulator
        self.http = http

    def create(self, requests: list[Json], **more: Any) -> httpx.Response:
        return self.http.post(PATH, json={"requests": requests}, **more)

    def submit(self, requests: list[Json]) -> str:
        """The id of a new batch."""
        batch_id: str = self.create(requests).raise_for_status().json()["id"]
        return batch_id

    def finish(self, requests: list[Json]) -> Json:
        """Run a batch to its end; returns it as a retrieve shows it."""
        return self.end(self.submit(requests))

    def end(self, batch_id: str) -> Json:
        self.simulator.until_final(batch_id)
        return self.look(batch_id)

    def look(self, batch_id: str) -> Json:
        batch: Json = self.get(batch_id).raise_for_status().json()
        return batch

    def get(self, batch_id: str, below: str = "") -> httpx.Response:
        return self.http.get(f"{PATH}/{batch_id}{below}")

    def cancel(self, batch_id: str) -> httpx.Response:
        return self.http.post(f"{PATH}/{batch_id}/cancel")

    def delete(self, batch_id: str) -> httpx.Response:
        return self.http.delete(f"{PATH}/{batch_id}")

    def list(self, **query: Any) -> httpx.Response:
        return self.http.get(PATH, params=query)

    def content(self, batch: Json) -> bytes:
        return self.http.get(batch["results_url"]).raise_for_status().content

    def results(self, batch: Json) -> dict[str, Json]:
        """The results by their custom ids, each of which comes once."""
        lines = [json.loads(line) for line in self.content(batch).splitlines()]
        found = {line["custom_id"]: line["result"] for line in lines}
        assert len(found) == len(lines)
        return found
