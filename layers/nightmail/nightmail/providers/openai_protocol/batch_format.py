"""The input files of batch APIs of OpenAI's shape. Pure."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.lines import Line
from nightmail.providers.base import Limits
from nightmail.providers.json_text import write_json
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.providers.openai_protocol.request import to_request
from nightmail.providers.openai_protocol.servers import Server


class OpenAIFormat:
    """Lines with the same body that the direct lane would send."""

    def __init__(self, deployment: Deployment, server: Server, api: BatchApi) -> None:
        self.endpoints = frozenset(server.endpoints)
        if api.endpoints is not None:
            self.endpoints &= api.endpoints
        self.live_counts = api.has_live_counts and api.counts is not None
        self._deployment = deployment
        self._server = server
        self._api = api

    @property
    def limits(self) -> Limits:
        return self._api.limits

    def to_line(self, line: Line, line_id: str) -> bytes:
        body = to_request(line.url, line.body, self._deployment, self._server, stream=False)
        if not self._api.names_model:
            del body["model"]
        route = self._route(line) if self._api.has_routes else {}
        return write_json({"custom_id": line_id, **route, "body": body}) + b"\n"

    def _route(self, line: Line) -> dict[str, str]:
        return {"method": "POST", "url": self._api.urls.get(line.url, line.url)}
