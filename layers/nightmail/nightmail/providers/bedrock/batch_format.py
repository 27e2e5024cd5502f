"""The records of Bedrock's batch inference. Pure.

Source: Amazon Bedrock's user guide, "Format and upload your batch inference data", and its quotas.
"""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.errors import NotInBatches
from nightmail.lines import Line
from nightmail.providers.base import Limits
from nightmail.providers.bedrock.request import to_converse
from nightmail.providers.json_text import write_json

_TOOLS = "toolConfig"


class BedrockFormat:
    """One record a line, in Converse's words; the model is the job's. `recordId` may be any string."""

    limits = Limits(lines=50_000, bytes=1_000_000_000, minimum_lines=100)
    endpoints = frozenset({CHAT})
    live_counts = False  # a job may be scheduled for hours, and counts nothing then

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def to_line(self, line: Line, line_id: str) -> bytes:
        request = to_converse(line.body, self._deployment)
        if _TOOLS in request:
            raise NotInBatches(
                "Unsupported parameter: 'tools' cannot be used in bedrock's batches.",
                param="tools",
                code="unsupported_parameter",
            )
        return write_json({"recordId": line_id, "modelInput": request}) + b"\n"
