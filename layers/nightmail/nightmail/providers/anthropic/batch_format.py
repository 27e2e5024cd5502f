"""The requests of Anthropic's Message Batches. Pure.

Source: Anthropic's API description of Message Batches, and its page on batch processing.
"""

from __future__ import annotations

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.lines import Line
from nightmail.providers.anthropic.request import to_messages_request
from nightmail.providers.anthropic.tools import wants_functions
from nightmail.providers.base import Limits
from nightmail.providers.json_text import write_json
from nightmail.providers.request_parameters import with_defaults

# The request has a place for nothing else that the result has to know.
FUNCTIONS_SUFFIX = "-f"
_ENVELOPE_BYTES = 1000


class AnthropicFormat:
    """One request a line, to be joined to one body; its `params` are what the direct lane would send.

    A request that wants the `function_call` of old has FUNCTIONS_SUFFIX behind its id.
    """

    limits = Limits(lines=100_000, bytes=256_000_000 - _ENVELOPE_BYTES)
    endpoints = frozenset({CHAT})
    live_counts = False  # `request_counts` stay zero until the whole batch has ended

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def to_line(self, line: Line, line_id: str) -> bytes:
        params = to_messages_request(line.body, self._deployment)
        wants = wants_functions(with_defaults(line.body, self._deployment))
        suffix = FUNCTIONS_SUFFIX if wants else ""
        return write_json({"custom_id": line_id + suffix, "params": params}) + b"\n"
