"""Content parts of OpenAI's messages as Gemini's parts.

`detail` of an image has no counterpart: Gemini scales by itself.
Source: Google's API reference, "Content" and "Part".
"""

from __future__ import annotations

from collections.abc import Callable
from mimetypes import guess_type
from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.parameters import mapping, one_of, required, wrong_type
from nightmail.providers.direct import JsonObject


def to_parts(content: Any, param: str, kinds: tuple[str, ...]) -> list[JsonObject]:
    """The parts of a message's content, whose own may be of these `kinds`; empty texts are none.

    Raises InvalidRequest naming the part.
    """
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"text": content}]
    if not isinstance(content, list):
        raise wrong_type(content, param, "a string or an array of content parts")
    parts = [_from_part(part, f"{param}[{index}]", kinds) for index, part in enumerate(content)]
    return [part for part in parts if part != {"text": ""}]


def to_text(content: Any, param: str) -> str:
    """The whole text of a content that can be nothing else."""
    return "".join(part["text"] for part in to_parts(content, param, ("text",)))


def invalid(param: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {what}", param=param, code="invalid_value")


def string_in(source: JsonObject, name: str, param: str) -> str:
    value = required(source, name, f"{param}.{name}")
    if not isinstance(value, str):
        raise wrong_type(value, f"{param}.{name}", "a string")
    return value


def _from_part(part: Any, param: str, kinds: tuple[str, ...]) -> JsonObject:
    part = mapping(part, param)
    kind = one_of(required(part, "type", f"{param}.type"), f"{param}.type", kinds)
    return _CONVERTERS[kind](part, param)


def _text(part: JsonObject, param: str) -> JsonObject:
    return {"text": string_in(part, "text", param)}


def _refusal(part: JsonObject, param: str) -> JsonObject:
    return {"text": string_in(part, "refusal", param)}


def _image(part: JsonObject, param: str) -> JsonObject:
    place = f"{param}.image_url"
    image = required(part, "image_url", place)
    url = image if isinstance(image, str) else string_in(mapping(image, place), "url", place)
    return _media(url, f"{place}.url")


def _audio(part: JsonObject, param: str) -> JsonObject:
    place = f"{param}.input_audio"
    audio = mapping(required(part, "input_audio", place), place)
    kind = string_in(audio, "format", place)
    return {"inlineData": {"mimeType": f"audio/{kind}", "data": string_in(audio, "data", place)}}


def _file(part: JsonObject, param: str) -> JsonObject:
    """A file's data, or as `file_id` the URI under which Gemini has it."""
    place = f"{param}.file"
    file = mapping(required(part, "file", place), place)
    name = "file_id" if "file_id" in file else "file_data"
    return _media(string_in(file, name, place), f"{place}.{name}")


def _media(url: str, param: str) -> JsonObject:
    """A data URL (RFC 2397) as its data, any other as what Gemini is to fetch."""
    if not url.startswith("data:"):
        kind, _ = guess_type(url.partition("?")[0])
        return {"fileData": {**({"mimeType": kind} if kind else {}), "fileUri": url}}
    head, comma, data = url.partition(",")
    kind, *attributes = head.removeprefix("data:").split(";")
    if not (comma and "base64" in attributes):
        raise invalid(param, "expected a URL, or a data URL in base64.")
    return {"inlineData": {"mimeType": kind.strip().lower(), "data": data}}


_CONVERTERS: dict[str, Callable[[JsonObject, str], JsonObject]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}
