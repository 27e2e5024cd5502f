"""Input files of a size."""

from __future__ import annotations

import json
from pathlib import Path

from bench.gateway import CHAT


def write_input(path: Path, model: str, lines: int, line_bytes: int) -> None:
    """So many chats of so many bytes each, whose custom_ids are `line-0`, `line-1`, ..."""
    head, tail = json.dumps(_request(model)).encode().split(b"%")
    with path.open("wb") as file:
        for number in range(lines):
            begin = head.replace(b"line", b"line-%d" % number, 1)
            padding = b"x" * (line_bytes - len(begin) - len(tail) - 1)
            file.write(b"%b%b%b\n" % (begin, padding, tail))


def _request(model: str) -> dict[str, object]:
    body = {"model": model, "messages": [{"role": "user", "content": "%"}]}
    return {"custom_id": "line", "method": "POST", "url": CHAT, "body": body}
