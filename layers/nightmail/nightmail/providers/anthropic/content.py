"""Content parts of OpenAI's messages as Anthropic's content blocks.

`detail` of an image has no counterpart: Anthropic scales by itself.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.parameters import mapping, one_of, required, wrong_type
from nightmail.providers.anthropic.chat_request import invalid
from nightmail.providers.direct import JsonObject

_IMAGES = {
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
}
_TITLE_CHARACTERS = 500


def to_blocks(content: Any, param: str, kinds: tuple[str, ...]) -> list[JsonObject]:
    """The blocks of a message's content, whose parts may be of these `kinds`.

    Blank texts are left out: Anthropic refuses them. Raises InvalidRequest naming the part.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return text_blocks(content)
    if not isinstance(content, list):
        raise wrong_type(content, param, "a string or an array of content parts")
    blocks: list[JsonObject] = []
    for index, part in enumerate(content):
        blocks += _from_part(part, f"{param}[{index}]", kinds)
    return blocks


def text_blocks(text: str) -> list[JsonObject]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _from_part(part: Any, param: str, kinds: tuple[str, ...]) -> list[JsonObject]:
    part = mapping(part, param)
    kind = one_of(required(part, "type", f"{param}.type"), f"{param}.type", kinds)
    blocks = _CONVERTERS[kind](part, param)
    return with_cache_control(blocks, part)


def with_cache_control(blocks: list[JsonObject], source: JsonObject) -> list[JsonObject]:
    """`blocks`, the last one of which marks what is cached where `source` says so."""
    mark = source.get("cache_control")
    return [*blocks[:-1], {**blocks[-1], "cache_control": mark}] if blocks and mark else blocks


def _text(part: JsonObject, param: str) -> list[JsonObject]:
    return text_blocks(_string(part, "text", param))


def _refusal(part: JsonObject, param: str) -> list[JsonObject]:
    return text_blocks(_string(part, "refusal", param))


def _image(part: JsonObject, param: str) -> list[JsonObject]:
    image = required(part, "image_url", f"{param}.image_url")
    if isinstance(image, str):
        image = {"url": image}
    place = f"{param}.image_url"
    url = _string(mapping(image, place), "url", place)
    return [{"type": "image", "source": _image_source(url, f"{place}.url")}]


def _image_source(url: str, param: str) -> JsonObject:
    if url.startswith("https://"):
        return {"type": "url", "url": url}
    media_type, data = _data_url(url, param)
    if media_type not in _IMAGES:
        raise invalid(param, "anthropic reads JPEG, PNG, GIF and WebP images.")
    return {"type": "base64", "media_type": _IMAGES[media_type], "data": data}


def _file(part: JsonObject, param: str) -> list[JsonObject]:
    place = f"{param}.file"
    file = mapping(required(part, "file", place), place)
    if "file_data" not in file:
        raise InvalidRequest(
            f"Invalid '{place}': a file for anthropic is sent as 'file_data', "
            "a data URL or an https URL.",
            param=f"{place}.file_data",
            code="missing_required_parameter",
        )
    document: JsonObject = {
        "type": "document",
        "source": _document_source(_string(file, "file_data", place), f"{place}.file_data"),
    }
    if isinstance(name := file.get("filename"), str) and name:
        document["title"] = name[:_TITLE_CHARACTERS]
    return [document]


def _document_source(url: str, param: str) -> JsonObject:
    if url.startswith("https://"):
        return {"type": "url", "url": url}
    media_type, data = _data_url(url, param)
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": data}
    if media_type == "text/plain":
        return {"type": "text", "media_type": media_type, "data": _decoded(data, param)}
    raise invalid(param, "anthropic reads PDF and plain text files.")


def _decoded(data: str, param: str) -> str:
    try:
        return b64decode(data, validate=True).decode()
    except ValueError as error:
        raise invalid(param, "expected UTF-8 text in base64.") from error


def _data_url(url: str, param: str) -> tuple[str, str]:
    """Media type and base64 data of a data URL (RFC 2397)."""
    head, comma, data = url.partition(",")
    kind, *attributes = head.removeprefix("data:").split(";")
    if not (head.startswith("data:") and comma and "base64" in attributes):
        raise invalid(param, "expected an https URL, or a data URL in base64.")
    return kind.strip().lower(), data


def _string(source: JsonObject, name: str, param: str) -> str:
    value = required(source, name, f"{param}.{name}")
    if not isinstance(value, str):
        raise wrong_type(value, f"{param}.{name}", "a string")
    return value


_CONVERTERS: dict[str, Callable[[JsonObject, str], list[JsonObject]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
}
