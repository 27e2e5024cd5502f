"""A file that came in parts becomes one object, which a presigned URL can name.

It may run at any time, again and beside itself: the object is the same each time, and the record says
whose run was first. A run whose time is up leaves its cursor in the bucket and asks for another one by
the record, whose changes are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nightmail.errors import NotFound, StorageError, StorageUnavailable
from nightmail.file import FileStatus, Segment, StoredFile, object_key, parts_prefix
from nightmail.payloads import Next
from nightmail.steps.waits import Clock, TimeIsUp
from nightmail.stores.files import FileStore
from nightmail.stores.multipart import MultipartWriter, Suspended, tails_prefix
from nightmail.stores.objects import ObjectStore

# S3 copies parts of this size or more into an object; smaller ones have to be read and written again.
_COPIED_BYTES = 5 * 1024 * 1024


def cursor_key(owner: str, file_id: str) -> str:
    """Where a run leaves how far it came."""
    return f"work/join/{owner}/{file_id}.json"


class Joiner:
    def __init__(self, files: FileStore, objects: ObjectStore, clock: Clock) -> None:
        self._files = files
        self._objects = objects
        self._clock = clock

    def join(self, owner: str, file_id: str, time_is_up: TimeIsUp) -> Next:
        """DONE, or MORE where time was up.

        Raises StorageUnavailable where it has to be tried again.
        """
        file = self._find(owner, file_id)
        if file is None:
            return Next.DONE
        try:
            if not file.is_joined and not self._write(self._checked(file), time_is_up):
                return Next.MORE
            self._clean(file)
        except (NotFound, StorageError) as error:
            self._recover(file, error)
        return Next.DONE

    def _find(self, owner: str, file_id: str) -> StoredFile | None:
        try:
            return self._files.get(owner, file_id, self._clock())
        except NotFound:
            return None

    def _checked(self, file: StoredFile) -> StoredFile:
        """The file whose MD5 was too long to check while its caller waited."""
        if file.status is not FileStatus.UPLOADED:
            return file
        if self._objects.md5(file.segments) == file.md5:
            return self._files.replace(file.model_copy(update={"status": FileStatus.PROCESSED}))
        wrong = {
            "status": FileStatus.ERROR,
            "status_details": "The bytes that arrived have another MD5 checksum.",
        }
        return self._files.replace(file.model_copy(update=wrong))

    def _write(self, file: StoredFile, time_is_up: TimeIsUp) -> bool:
        """Whether the file is one object now."""
        writer = self._begin_or_resume(file)
        for _ in self._pieces(file.segments, writer):
            if time_is_up() and writer.size < file.bytes:
                self._ask_for_more(file, writer.suspend())
                return False
        self._files.replace(file.model_copy(update={"segments": [writer.complete()]}))
        return True

    def _begin_or_resume(self, file: StoredFile) -> MultipartWriter:
        key = cursor_key(file.owner, file.id)
        if next(self._objects.segments(key), None) is None:
            return self._objects.writer(object_key(file.owner, file.id))
        return self._objects.resume(Suspended.model_validate_json(self._objects.get(key)))

    def _pieces(self, segments: Sequence[Segment], writer: MultipartWriter) -> Iterator[None]:
        """Add what is missing, piece by piece."""
        if _can_be_copied(segments):
            for segment in _behind(segments, writer.size):
                writer.append(segment)
                yield
        else:
            for chunk in self._objects.chunks(segments, writer.size):
                writer.write(chunk)
                yield

    def _ask_for_more(self, file: StoredFile, cursor: Suspended) -> None:
        key = cursor_key(file.owner, file.id)
        self._objects.put(key, cursor.model_dump_json().encode(), "application/json")
        asked = max(self._clock(), (file.join_asked_at or 0) + 1)
        self._files.replace(file.model_copy(update={"join_asked_at": asked}))

    def _clean(self, file: StoredFile) -> None:
        """What the object was made of. Only when the record names the object."""
        left = [cursor_key(file.owner, file.id)]
        prefixes = [tails_prefix(object_key(file.owner, file.id))]
        if file.upload_id:
            prefixes.append(parts_prefix(file.owner, file.upload_id))
        for prefix in prefixes:
            left += [segment.key for segment in self._objects.segments(prefix)]
        self._objects.delete(left)

    def _recover(self, file: StoredFile, error: Exception) -> None:
        """Another run may have been first, or somebody deleted the file; else this one begins again."""
        latest = self._find(file.owner, file.id)
        if latest is None:
            self._objects.delete([object_key(file.owner, file.id)])
            self._clean(file)
        elif latest.is_joined:
            self._clean(latest)
        else:
            self._objects.delete([cursor_key(file.owner, file.id)])
            raise StorageUnavailable(f"The file {file.id} has to be joined again.") from error


def _can_be_copied(segments: Sequence[Segment]) -> bool:
    *others, last = segments
    return last.size > 0 and all(segment.size >= _COPIED_BYTES for segment in others)


def _behind(segments: Sequence[Segment], size: int) -> Iterator[Segment]:
    """Those that begin at byte `size` or later."""
    start = 0
    for segment in segments:
        if start >= size:
            yield segment
        start += segment.size
