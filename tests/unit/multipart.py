"""Forms as httpx writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from tests.unit.gateway import proxy_event

Given = bytes | tuple[str, bytes] | tuple[str, bytes, str]


def form(fields: Mapping[str, str], files: Mapping[str, Given]) -> tuple[bytes, str]:
    """Body and Content-Type."""
    request = httpx.Request("POST", "http://gateway", data=dict(fields), files=dict(files))
    return request.read(), request.headers["content-type"]


def form_event(
    path: str, fields: Mapping[str, str], files: Mapping[str, Given], *, owner: str = "admin"
) -> dict[str, Any]:
    """A POST of a form, as API Gateway hands over a binary body."""
    body, content_type = form(fields, files)
    return proxy_event("POST", path, body=body, headers={"Content-Type": content_type}, owner=owner)
