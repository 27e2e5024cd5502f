"""Multipart forms (RFC 7578), with fields in brackets as OpenAI's clients write nested ones."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from nightmail.errors import InvalidRequest
from nightmail.parameters import required


@dataclass(frozen=True)
class FormFile:
    """A file of a form; `filename` and `content_type` are None where the client gave none."""

    content: bytes
    filename: str | None = None
    content_type: str | None = None


@dataclass(frozen=True)
class Form:
    """The fields of a form as text, and its files. The last of a name counts.

    A file that a client sent without a name is both: only the one who asks knows which it is.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, FormFile] = field(default_factory=dict)

    def file(self, name: str) -> FormFile:
        """Raises InvalidRequest where it is missing."""
        found: FormFile = required(self.files, name, name)
        return found

    def nested(self, name: str) -> dict[str, str] | None:
        """The fields `name[key]` as one mapping, None where there are none."""
        start = f"{name}["
        entries = {
            key.removeprefix(start).removesuffix("]"): value
            for key, value in self.fields.items()
            if key.startswith(start)
        }
        return entries or None


def parse_form(body: bytes, content_type: str | None, file_field: str) -> Form:
    """Read a multipart form. Raises InvalidRequest naming `file_field`, which should carry the file."""
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidRequest(
            "Send a form, Content-Type multipart/form-data with a boundary, "
            f"and the file in its field '{file_field}'.",
            param=file_field,
        )
    try:
        return _parse(body, options[b"boundary"])
    except FormParserError as error:
        raise InvalidRequest(
            f"The multipart form is broken, so '{file_field}' could not be read. Check that the body "
            "is whole and that its boundary is the one in the Content-Type header.",
            param=file_field,
        ) from error


def _parse(body: bytes, boundary: bytes) -> Form:
    form = Form()
    ends: list[bool] = []

    def on_field(part: Field) -> None:
        name, value = _text(part.field_name), part.value or b""
        form.fields[name] = _text(value)
        form.files[name] = FormFile(value)

    def on_file(part: File) -> None:
        part.file_object.seek(0)
        form.files[_text(part.field_name)] = FormFile(
            part.file_object.read(), _text(part.file_name) or None, part.content_type
        )
        part.close()

    parser = FormParser(
        "multipart/form-data",
        on_field,
        on_file,
        on_end=lambda: ends.append(True),
        boundary=boundary,
        config={"MAX_MEMORY_FILE_SIZE": len(body)},  # it is in memory already: no temporary files
    )
    parser.write(body)
    parser.finalize()
    if not ends:
        raise FormParserError("The closing boundary is missing.")
    return form


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")
