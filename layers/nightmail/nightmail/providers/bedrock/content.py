"""Content parts of OpenAI's messages as Converse's content blocks.

`detail` of an image has no counterpart. Converse fetches nothing: images and files come as bytes.
"""

from __future__ import annotations

import re
from base64 import b64decode

from nightmail.parameters import invalid, string_in
from nightmail.providers.conversion.parts import Parts, Pieces, data_in, file_in, image_url
from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import mapping_of

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
_CACHE_TIMES = ("5m", "1h")


def text_blocks(text: str) -> Pieces:
    """Blank texts are left out: Converse refuses them."""
    return [{"text": text}] if text.strip() else []


def with_cache_point(blocks: Pieces, source: JsonObject) -> Pieces:
    """`blocks`, and behind them the place up to which is cached, where `source` says so."""
    mark = source.get("cache_control")
    if not (blocks and mark):
        return blocks
    time = mapping_of(mark).get("ttl")
    point = {"type": "default", **({"ttl": time} if time in _CACHE_TIMES else {})}
    return [*blocks, {"cachePoint": point}]


def _image(part: JsonObject, param: str) -> Pieces:
    url, place = image_url(part, param)
    media_type, data = _data_url(url, place)
    if media_type not in _IMAGES:
        raise invalid(place, "bedrock reads JPEG, PNG, GIF and WebP images.")
    return [{"image": {"format": _IMAGES[media_type], "source": {"bytes": data}}}]


def _file(part: JsonObject, param: str) -> Pieces:
    file, place = file_in(part, param)
    media_type, data = _data_url(string_in(file, "file_data", place), f"{place}.file_data")
    if media_type not in _DOCUMENTS:
        kinds = ", ".join(sorted(_DOCUMENTS.values()))
        raise invalid(f"{place}.file_data", f"bedrock reads files of the kinds {kinds}.")
    name = _NOT_OF_A_NAME.sub(" ", str(file.get("filename") or "")).strip()[:_NAME_CHARACTERS]
    document = {
        "format": _DOCUMENTS[media_type],
        "name": name or _NAMELESS,
        "source": {"bytes": data},
    }
    return [{"document": document}]


def _data_url(url: str, param: str) -> tuple[str, str]:
    found = data_in(url)
    if found is None:
        raise invalid(param, "bedrock fetches nothing: expected a data URL in base64.")
    try:
        b64decode(found[1], validate=True)
    except ValueError as error:
        raise invalid(param, "expected base64.") from error
    return found


PARTS = Parts(text_blocks, {"image_url": _image, "file": _file}, with_cache_point)
