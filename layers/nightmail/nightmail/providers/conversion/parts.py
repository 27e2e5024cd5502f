"""The content of OpenAI's messages, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nightmail.parameters import mapping, one_of, required, string_in, wrong_type
from nightmail.providers.direct import JsonObject

Pieces = list[JsonObject]
"""What a provider's message consists of: its blocks, or its parts."""
Converter = Callable[[JsonObject, str], Pieces]
"""A content part of OpenAI's and the dotted path of it, as pieces."""
Mark = Callable[[Pieces, JsonObject], Pieces]
"""Pieces with the mark that their source gives them."""

_TOLD = ("text",)
_SAID = ("text", "refusal")


class Parts:
    """How one provider writes content: a text, and what a user may show beside texts, by its kind.

    `mark` is what a provider puts to pieces that are to be cached. All methods raise InvalidRequest
    naming the part at fault.
    """

    def __init__(
        self,
        text: Callable[[str], Pieces],
        shown: Mapping[str, Converter],
        mark: Mark = lambda pieces, _source: pieces,
    ) -> None:
        self.text = text
        self.mark = mark
        self._shown = shown
        self._kinds_shown = (*_TOLD, *shown)

    def told(self, content: Any, param: str) -> Pieces:
        """Of a content that can be texts alone: an instruction's."""
        return self._convert(content, param, _TOLD)

    def shown(self, content: Any, param: str) -> Pieces:
        """Of what a user or a tool shows."""
        return self._convert(content, param, self._kinds_shown)

    def said(self, content: Any, param: str) -> Pieces:
        """Of what a model said."""
        return self._convert(content, param, _SAID)

    def _convert(self, content: Any, param: str, kinds: tuple[str, ...]) -> Pieces:
        if content is None:
            return []
        if isinstance(content, str):
            return self.text(content)
        if not isinstance(content, list):
            raise wrong_type(content, param, "a string or an array of content parts")
        pieces: Pieces = []
        for index, part in enumerate(content):
            pieces += self._part(part, f"{param}[{index}]", kinds)
        return pieces

    def _part(self, part: Any, param: str, kinds: tuple[str, ...]) -> Pieces:
        part = mapping(part, param)
        kind = one_of(required(part, "type", f"{param}.type"), f"{param}.type", kinds)
        if kind in _SAID:
            pieces = self.text(string_in(part, kind, param))
        else:
            pieces = self._shown[kind](part, param)
        return self.mark(pieces, part)


def image_url(part: JsonObject, param: str) -> tuple[str, str]:
    """The URL of an image part, and its own path. `detail` says nothing to those who scale alone."""
    place = f"{param}.image_url"
    image = required(part, "image_url", place)
    url = image if isinstance(image, str) else string_in(mapping(image, place), "url", place)
    return url, f"{place}.url"


def file_in(part: JsonObject, param: str) -> tuple[JsonObject, str]:
    """What a file part holds, and its path."""
    place = f"{param}.file"
    return mapping(required(part, "file", place), place), place


def data_in(url: str) -> tuple[str, str] | None:
    """Media type, in lower case, and base64 data of a data URL (RFC 2397); None for another URL."""
    head, comma, data = url.partition(",")
    kind, *attributes = head.removeprefix("data:").split(";")
    if not (head.startswith("data:") and comma and "base64" in attributes):
        return None
    return kind.strip().lower(), data
