"""Content parts of OpenAI's messages as Gemini's parts.

`detail` of an image has no counterpart: Gemini scales by itself.
Source: Google's API reference, "Content" and "Part".
"""

from __future__ import annotations

from mimetypes import guess_type
from typing import Any

from nightmail.parameters import invalid, mapping, required, string_in
from nightmail.providers.conversion.parts import Parts, Pieces, data_in, file_in, image_url
from nightmail.providers.direct import JsonObject


def to_text(content: Any, param: str) -> str:
    """The whole text of a content that can be nothing else."""
    return "".join(part["text"] for part in PARTS.told(content, param))


def _text(text: str) -> Pieces:
    return [{"text": text}] if text else []


def _image(part: JsonObject, param: str) -> Pieces:
    return _media(*image_url(part, param))


def _audio(part: JsonObject, param: str) -> Pieces:
    place = f"{param}.input_audio"
    audio = mapping(required(part, "input_audio", place), place)
    kind = string_in(audio, "format", place)
    return [{"inlineData": {"mimeType": f"audio/{kind}", "data": string_in(audio, "data", place)}}]


def _file(part: JsonObject, param: str) -> Pieces:
    """A file's data, or as `file_id` the URI under which Gemini has it."""
    file, place = file_in(part, param)
    name = "file_id" if "file_id" in file else "file_data"
    return _media(string_in(file, name, place), f"{place}.{name}")


def _media(url: str, param: str) -> Pieces:
    """A data URL as its data, any other as what Gemini is to fetch."""
    if not url.startswith("data:"):
        kind, _ = guess_type(url.partition("?")[0])
        return [{"fileData": {**({"mimeType": kind} if kind else {}), "fileUri": url}}]
    found = data_in(url)
    if found is None:
        raise invalid(param, "expected a URL, or a data URL in base64.")
    media_type, data = found
    return [{"inlineData": {"mimeType": media_type, "data": data}}]


PARTS = Parts(_text, {"image_url": _image, "input_audio": _audio, "file": _file})
