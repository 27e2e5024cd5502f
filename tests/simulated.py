"""Batches at the provider simulator, for the tests of the simulator itself."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import httpx

from local.simulator.client import SimulatorClient

Json = dict[str, Any]

KEY = "sk-test-abcd"
CHAT: Final = "/v1/chat/completions"


def chat(text: str, **more: Any) -> Json:
    return {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}], **more}


def line(number: int, body: Json | None = None, **more: Any) -> Json:
    body = body or chat(f"Question {number}")
    return {"custom_id": f"line-{number}", "method": "POST", "url": CHAT, "body": body, **more}


def as_jsonl(lines: list[Json]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


def tool(name: str = "get_weather", **properties: Json) -> Json:
    """A function that an OpenAI-compatible model may call."""
    parameters = {"type": "object", "properties": properties or {"city": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def events_of(stream: str) -> list[Json]:
    """The data of a stream's events; the marker of its end is left out."""
    data = re.findall(r"^data: (.*)$", stream, re.MULTILINE)
    return [json.loads(one) for one in data if one != "[DONE]"]


def error_of(answer: httpx.Response) -> Json:
    error: Json = answer.json()["error"]
    return error


class Provider:
    """A plain HTTP client of the simulator, with the few calls that most tests make."""

    def __init__(self, simulator: SimulatorClient, http: httpx.Client) -> None:
        self.simulator = simulator
        self.http = http

    def upload(self, content: bytes, name: str = "in.jsonl", **form: str) -> httpx.Response:
        fields = {"purpose": "batch", **form}
        return self.http.post("/files", data=fields, files={"file": (name, content)})

    def create(self, file_id: str, **more: Any) -> httpx.Response:
        body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h", **more}
        return self.http.post("/batches", json=body)

    def submit(self, content: bytes | list[Json], **more: Any) -> str:
        """Upload an input and create its batch; returns the batch's id."""
        if isinstance(content, list):
            content = as_jsonl(content)
        file_id = self.upload(content).raise_for_status().json()["id"]
        batch_id: str = self.create(file_id, **more).raise_for_status().json()["id"]
        return batch_id

    def finish(self, content: bytes | list[Json], **more: Any) -> Json:
        """Run a batch to its end; returns it as a retrieve shows it."""
        return self.end(self.submit(content, **more))

    def end(self, batch_id: str) -> Json:
        self.simulator.until_final(batch_id)
        return self.look(batch_id)

    def look(self, batch_id: str) -> Json:
        batch: Json = self.http.get(f"/batches/{batch_id}").raise_for_status().json()
        return batch

    def content(self, file_id: str) -> bytes:
        return self.http.get(f"/files/{file_id}/content").raise_for_status().content

    def results(self, file_id: str) -> list[Json]:
        return [json.loads(one) for one in self.content(file_id).splitlines()]

    def ask(self, body: Json) -> httpx.Response:
        return self.http.post("/chat/completions", json=body)
