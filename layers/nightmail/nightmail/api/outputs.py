"""The result lines of a batch that are there so far, page by page. An extension of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aws_lambda_powertools.event_handler import Response

from nightmail.api.answers import Answers, fits
from nightmail.api.batches import Batches
from nightmail.batch import Batch
from nightmail.errors import NotFound, StatusConflict, StorageUnavailable
from nightmail.parameters import boolean_text, integer_text
from nightmail.results.merged_results import read_merged
from nightmail.results.page import Page
from nightmail.results.partial_results import read_on
from nightmail.stores.stores import Stores

CURSOR = "x-nightmail-cursor"
INCOMPLETE = "x-nightmail-incomplete"
_JSON_LINES = "application/jsonl"
_MOST_BYTES = 4_000_000
_MOST_LINES = 10_000
_DEFAULT_LINES = 1000


@dataclass(frozen=True)
class _Asked:
    after: str | None
    limit: int
    merged: bool


class Outputs:
    """The requests for what is there of a batch. `clock` answers the Unix second."""

    def __init__(self, batches: Batches, stores: Stores, clock: Callable[[], int]) -> None:
        self._batches = batches
        self._stores = stores
        self._clock = clock
        self._answers = Answers(stores.objects)

    def answer(self, owner: str, batch_id: str, query: Mapping[str, str]) -> Response[str]:
        """A page of JSON lines, with headers that tell how to go on.

        Raises InvalidRequest for a wrong parameter, NotFound where there is no such batch or its lines
        are no longer kept, and StatusConflict where a batch that is still running should be merged.
        """
        asked = _asked(query)
        batch = self._batches.get(owner, batch_id)
        page, is_complete = (
            self._merged(batch, asked) if asked.merged else self._so_far(batch, asked)
        )
        headers = {CURSOR: page.cursor, **({} if is_complete else {INCOMPLETE: "true"})}
        return self._answers.fit(owner, Response(200, _JSON_LINES, _body(page), headers))

    def _so_far(self, batch: Batch, asked: _Asked) -> tuple[Page, bool]:
        """The batch was read before its parts are: if it had ended then, nothing more will come."""
        parts = self._stores.parts.of_batch(batch)
        try:
            page = _fitting(
                lambda most: read_on(
                    batch, parts, asked.after, asked.limit, most, self._stores.objects
                )
            )
        except NotFound as error:
            raise _gone(batch) from error
        return page, batch.status.is_final and page.is_last

    def _merged(self, batch: Batch, asked: _Asked) -> tuple[Page, bool]:
        if not batch.status.is_final:
            raise StatusConflict(
                f"Cannot merge a batch with status '{batch.status}'. Wait until it has ended, or read "
                "what is there without merged=true."
            )
        family, now = [batch, *self._stores.batches.retries(batch)], self._clock()
        try:
            page = _fitting(
                lambda most: read_merged(family, asked.after, asked.limit, most, self._stores, now)
            )
        except NotFound as error:
            raise NotFound(
                f"A result file of batch {batch.id} or of a retry of it is gone, so they cannot be merged.",
                param="batch_id",
            ) from error
        return page, page.is_last and all(each.status.is_final for each in family)


def _asked(query: Mapping[str, str]) -> _Asked:
    limit, merged = query.get("limit"), query.get("merged")
    return _Asked(
        after=query.get("after") or None,
        limit=integer_text(limit, "limit", 1, _MOST_LINES) if limit else _DEFAULT_LINES,
        merged=bool(merged) and boolean_text(merged, "merged"),
    )


def _fitting(read: Callable[[int], Page]) -> Page:
    """A page that fits into one answer, or that is a single line."""
    most = _MOST_BYTES
    page = read(most)
    while len(page.lines) > 1 and not fits(_body(page)):
        most //= 2
        page = read(most)
    return page


def _body(page: Page) -> str:
    return b"".join(page.lines).decode()


def _gone(batch: Batch) -> NotFound | StorageUnavailable:
    """What a running batch has of an object is put together anew now and then."""
    if not batch.status.is_final:
        return StorageUnavailable("The lines are just being moved; try again.")
    return NotFound(
        f"The lines of batch {batch.id} are no longer kept in this form. Read its output_file_id and "
        "error_file_id, or ask with merged=true.",
        param="batch_id",
    )
