"""Content parts of OpenAI's messages as Anthropic's content blocks.

`detail` of an image has no counterpart: Anthropic scales by itself.
"""

from __future__ import annotations

from base64 import b64decode

from nightmail.errors import InvalidRequest
from nightmail.parameters import invalid, string_in
from nightmail.providers.conversion.parts import Parts, Pieces, data_in, file_in, image_url
from nightmail.providers.direct import JsonObject

_IMAGES = {
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
}
_TITLE_CHARACTERS = 500


def text_blocks(text: str) -> Pieces:
    """Blank texts are left out: Anthropic refuses them."""
    return [{"type": "text", "text": text}] if text.strip() else []


def with_cache_control(blocks: Pieces, source: JsonObject) -> Pieces:
    """`blocks`, the last one of which marks what is cached where `source` says so."""
    mark = source.get("cache_control")
    return [*blocks[:-1], {**blocks[-1], "cache_control": mark}] if blocks and mark else blocks


def _image(part: JsonObject, param: str) -> Pieces:
    url, place = image_url(part, param)
    return [{"type": "image", "source": _image_source(url, place)}]


def _image_source(url: str, param: str) -> JsonObject:
    if url.startswith("https://"):
        return {"type": "url", "url": url}
    media_type, data = _data_url(url, param)
    if media_type not in _IMAGES:
        raise invalid(param, "anthropic reads JPEG, PNG, GIF and WebP images.")
    return {"type": "base64", "media_type": _IMAGES[media_type], "data": data}


def _file(part: JsonObject, param: str) -> Pieces:
    file, place = file_in(part, param)
    if "file_data" not in file:
        raise InvalidRequest(
            f"Invalid '{place}': a file for anthropic is sent as 'file_data', "
            "a data URL or an https URL.",
            param=f"{place}.file_data",
            code="missing_required_parameter",
        )
    document: JsonObject = {
        "type": "document",
        "source": _document_source(string_in(file, "file_data", place), f"{place}.file_data"),
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
    found = data_in(url)
    if found is None:
        raise invalid(param, "expected an https URL, or a data URL in base64.")
    return found


PARTS = Parts(text_blocks, {"image_url": _image, "file": _file}, with_cache_control)
