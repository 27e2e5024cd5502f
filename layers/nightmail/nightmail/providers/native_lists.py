"""Lists of a provider's batches, page by page, and which of them may be one that is looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any

from nightmail.errors import ProviderGarbled, ProviderRejected
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import garbled
from nightmail.providers.json_text import read_json
from nightmail.providers.native_http import LOOK, NativeClient

PAGE = 100
PAGES = 100
"""The most that are read of one list: who has not found a batch in them does not know that it is not there."""
_CLOCK_SKEW_SECONDS = 600


def made_since(
    since: int,
    entries: Iterable[JsonObject],
    made_at: Callable[[JsonObject], int | None],
    *,
    newest_first: bool,
) -> Iterator[JsonObject]:
    """Those of a provider's batches that may be younger than `since` (Unix seconds).

    A list that the provider promises to be `newest_first` is read no further than it has to be.
    """
    oldest, before = since - _CLOCK_SKEW_SECONDS, 0
    for entry in entries:
        made = made_at(entry)
        if made is None or made >= oldest:
            yield entry
        elif newest_first and made < before:
            return
        else:
            before = made


def first_of(
    api: NativeClient, entries: Iterable[JsonObject], is_ours: Callable[[JsonObject], bool]
) -> list[str]:
    """The id of the first that is ours, alone; nothing where none is."""
    return list(islice((api.id_of(entry) for entry in entries if is_ours(entry)), 1))


def list_by_ids(api: NativeClient, path: str, after: str) -> Iterator[JsonObject]:
    """All entries, page by page; `after` is how the query calls the last id seen.

    As the others it raises ProviderGarbled where a page comes again, and ProviderRejected for a list
    that is too long.
    """
    query: dict[str, Any] = {"limit": PAGE}
    pages = _Pages(api.provider)
    while True:
        page = api.look(path, query)
        entries = _entries(page)
        yield from entries
        if not page.get("has_more") or not entries:
            return
        query = {"limit": PAGE, after: pages.behind(api.id_of(entries[-1]))}


def list_by_numbers(api: NativeClient, path: str) -> Iterator[JsonObject]:
    """The same of a provider that numbers its pages, from 0, and tells a `total` of entries."""
    number = seen = 0
    pages = _Pages(api.provider)
    while True:
        page = api.look(path, {"page": number, "page_size": PAGE})
        entries = _entries(page)
        yield from entries
        number, seen = number + 1, seen + len(entries)
        total = page.get("total")
        if not entries or not isinstance(total, int) or seen >= total:
            return
        pages.behind(api.id_of(entries[-1]))


def list_by_tokens(
    api: NativeClient,
    path: str,
    *,
    entries: str,
    size: str = "pageSize",
    token: str = "pageToken",  # noqa: S107 - a parameter's name
    following: str = "nextPageToken",
    wanted: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[JsonObject]:
    """The same of a provider that hands out a token for the next page.

    `size` and `token` are what the query calls a page's size and its token; `entries` and `following`
    are the fields of a page that hold what it lists, and the token of the next one; unless they are
    told they are those of Google's guidelines (AIP-158). `wanted` is what the query says besides.
    """
    query: dict[str, Any] = {**wanted, size: PAGE}
    pages = _Pages(api.provider)
    while True:
        page = api.look(path, query)
        yield from _entries(page, entries)
        after = page.get(following)
        if not isinstance(after, str) or not after:
            return
        query = {**wanted, size: PAGE, token: pages.behind(after)}


def list_whole(api: NativeClient, path: str) -> Iterator[JsonObject]:
    """The same of a provider that answers with an array of all."""
    response = api.call("GET", path, timeout=LOOK)
    listed = read_json(response.content)
    if not isinstance(listed, list):
        raise garbled(api.provider, "with something that is no list", response.status_code)
    yield from (entry for entry in listed if isinstance(entry, dict))


class _Pages:
    """The pages of one list that were read, each known by what the next one begins behind."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._read: set[str] = set()

    def behind(self, mark: str) -> str:
        if mark in self._read:
            raise ProviderGarbled(
                f"{self._provider} shows a page of its list again.", provider=self._provider
            )
        self._read.add(mark)
        if len(self._read) >= PAGES:
            raise ProviderRejected(
                f"{self._provider} lists more than the {PAGES} pages that are read.",
                provider=self._provider,
            )
        return mark


def _entries(page: JsonObject, name: str = "data") -> list[JsonObject]:
    found = page.get(name)
    listed = found if isinstance(found, list) else []
    return [entry for entry in listed if isinstance(entry, dict)]
