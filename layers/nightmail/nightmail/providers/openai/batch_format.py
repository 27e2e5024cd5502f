"""The input files of OpenAI's Batch API. Pure."""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.lines import Line
from nightmail.providers.base import Limits
from nightmail.providers.json_text import write_json
from nightmail.providers.openai.request import to_request
from nightmail.providers.openai.servers import SERVERS


class OpenAIFormat:
    """Lines with the same body that the direct lane would send.

    Source: OpenAI's API reference and guide, "Batch".
    """

    limits = Limits(lines=50_000, bytes=200 * 1024 * 1024, inputs=50_000)
    live_counts = True

    def __init__(self, deployment: Deployment) -> None:
        self.endpoints = frozenset(SERVERS[deployment.provider].endpoints)
        self._deployment = deployment

    def to_line(self, line: Line, line_id: str) -> bytes:
        body = to_request(line.url, line.body, self._deployment, stream=False)
        request = {"custom_id": line_id, "method": "POST", "url": line.url, "body": body}
        return write_json(request) + b"\n"
