"""What every client is asked to send, so that all send the same."""

from __future__ import annotations

from typing import Any

Messages = list[dict[str, Any]]

KEY = "sk-bench"
MODEL = "gpt-4o-mini"
MESSAGES: Messages = [{"role": "user", "content": "x" * 800}]
PARAMETERS: dict[str, Any] = {"temperature": 0.5, "max_tokens": 100}
