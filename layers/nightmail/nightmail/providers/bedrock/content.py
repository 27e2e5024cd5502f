"""Content parts of OpenAI's messages as Converse's content blocks.

`detail` of an image has no counterpart. Converse fetches nothing: images and files come as bytes.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Collection
from typing import Any

from nightmail.parameters import mapping, one_of, required, wrong_type
from nightmail.providers.bedrock.chat_request import invalid
from nightmail.providers.direct import JsonObject

# Converse's words for what it reads (ImageFormat, DocumentFormat), by media type.
_IMAGES = {
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
# A document has to have a name, of these characters and without two spaces in a row.
_NOT_OF_A_NAME = re.compile(r"[^a-zA-Z0-9\-()\[\]]+")
_NAMELESS = "document"
_NAME_CHARACTERS = 200
CACHE_POINT: JsonObject = {"cachePoint": {"type": "default"}}


def to_blocks(content: Any, param: str, kinds: tuple[str, ...]) -> list[JsonObject]:
    """The blocks of a message's content, whose parts may be of these `kinds`.

    Blank texts are left out: Converse refuses them. Raises InvalidRequest naming the part.
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
    return [{"text": text}] if text.strip() else []


def with_cache_point(blocks: list[JsonObject], source: JsonObject) -> list[JsonObject]:
    """`blocks`, and behind them the place up to which is cached, where `source` says so."""
    return [*blocks, CACHE_POINT] if blocks and source.get("cache_control") else blocks


def _from_part(part: Any, param: str, kinds: tuple[str, ...]) -> list[JsonObject]:
    part = mapping(part, param)
    kind = one_of(required(part, "type", f"{param}.type"), f"{param}.type", kinds)
    return with_cache_point(_CONVERTERS[kind](part, param), part)


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
    media_type, data = _data_url(url, f"{place}.url")
    if media_type not in _IMAGES:
        raise invalid(f"{place}.url", "bedrock reads JPEG, PNG, GIF and WebP images.")
    return [{"image": {"format": _IMAGES[media_type], "source": {"bytes": data}}}]


def _file(part: JsonObject, param: str) -> list[JsonObject]:
    place = f"{param}.file"
    file = mapping(required(part, "file", place), place)
    media_type, data = _data_url(_string(file, "file_data", place), f"{place}.file_data")
    if media_type not in _DOCUMENTS:
        kinds = _words(_DOCUMENTS.values())
        raise invalid(f"{place}.file_data", f"bedrock reads files of the kinds {kinds}.")
    name = _NOT_OF_A_NAME.sub(" ", str(file.get("filename") or "")).strip()[:_NAME_CHARACTERS]
    document = {
        "format": _DOCUMENTS[media_type],
        "name": name or _NAMELESS,
        "source": {"bytes": data},
    }
    return [{"document": document}]


def _data_url(url: str, param: str) -> tuple[str, str]:
    """Media type and base64 data of a data URL (RFC 2397)."""
    head, comma, data = url.partition(",")
    kind, *attributes = head.removeprefix("data:").split(";")
    if not (head.startswith("data:") and comma and "base64" in attributes):
        raise invalid(param, "bedrock fetches nothing: expected a data URL in base64.")
    try:
        b64decode(data, validate=True)
    except ValueError as error:
        raise invalid(param, "expected base64.") from error
    return kind.strip().lower(), data


def _string(source: JsonObject, name: str, param: str) -> str:
    value = required(source, name, f"{param}.{name}")
    if not isinstance(value, str):
        raise wrong_type(value, f"{param}.{name}", "a string")
    return value


def _words(words: Collection[str]) -> str:
    return ", ".join(sorted(words))


_CONVERTERS: dict[str, Callable[[JsonObject, str], list[JsonObject]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
}
