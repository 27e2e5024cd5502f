"""S3's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from nightmail.errors import NotFound, StorageUnavailable, WriteConflict

_MISSING = frozenset({"404", "NoSuchKey", "NotFound", "NoSuchUpload"})
_CHANGED = frozenset({"412", "PreconditionFailed", "ConditionalRequestConflict"})


@contextmanager
def bucket_errors(key: str) -> Iterator[None]:
    """AWS's errors as ours: NotFound, WriteConflict or StorageUnavailable."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _MISSING:
            raise NotFound(f"There is no object {key}.") from error
        if code in _CHANGED:
            raise WriteConflict(f"The object {key} has changed.") from error
        raise StorageUnavailable("The bucket did not answer; try again.") from error
    except BotoCoreError as error:
        raise StorageUnavailable("The bucket did not answer; try again.") from error
