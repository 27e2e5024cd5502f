"""What every adapter of the native lane is shown, and has to tell, in our words.

An adapter joins the suite by one module that fills `NativeSamples` with its provider's own objects,
and by its line in `table.py`. Its direct lane's samples are used again: a line holds the same request,
and a result the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from nightmail.deployment import Deployment
from nightmail.line_ids import line_id, number_in
from nightmail.lines import Line
from nightmail.part import Ending
from nightmail.providers.base import (
    BatchFormat,
    BatchProvider,
    Cursor,
    Intent,
    Phase,
    Result,
    ShardInput,
    Tag,
)
from nightmail.providers.registry import open_format

from tests.unit.adapters.cases import CHAT, KEY, PUBLIC_MODEL, AdapterSamples
from tests.unit.native.script import Answer, Script

Json = dict[str, Any]

BATCH_ID = "batch_019aa5f0c1de7a3b9d5e8f4c2b6a1d30"
TAG = Tag(BATCH_ID, 2, 1)
SINCE = 1795226400  # when the submission was about to be made, in Unix seconds
BASE = "http://provider.example/v1"
BEGINNING = Cursor()
INPUT_FILE = "file-in"


def number_of(text: str) -> int | None:
    return number_in(text, BATCH_ID)


def a_line_id(number: int) -> str:
    return line_id(BATCH_ID, number)


@dataclass(frozen=True)
class Told:
    """A batch as the provider tells of it, in our words: what `NativeSamples.batch` is to write.

    `left` lines have no result of their own making: they were cancelled or they expired. `word`
    replaces the status. `created` is Unix seconds.
    """

    identity: str = "batch-1"
    ending: Ending | None = None
    completed: int = 0
    failed: int = 0
    left: int = 0
    has_results: bool = True
    word: str | None = None
    created: int = SINCE
    tag: Tag = TAG

    @property
    def lines(self) -> int:
        return self.completed + self.failed + self.left


@dataclass(frozen=True, repr=False)
class NativeSamples:
    """One provider's batches, as its documentation writes them."""

    direct: AdapterSamples
    open: Callable[[Deployment, httpx.Client, str | None], BatchProvider]
    batches: str
    """The path of its batches behind the base: `/batches`."""
    batch: Callable[[Told], Json]
    words: Mapping[str, Phase]
    """Its status words, all of them."""
    request_in: Callable[[Json], Json]
    """The request within a line that is sent."""
    answered: Callable[[str, bytes], Json]
    """The result line of a line id, with an answer of the direct lane's."""
    refused: Callable[[str, int, str], Json]
    """The result line of one that failed with this status, in these words."""
    unanswered: Callable[[str, Ending], Json]
    """The result line of one that was cancelled, or that expired."""
    outputs: int
    """How many result files a batch may have."""
    check_lines: Callable[[Sequence[Json]], None]
    """Holds what is sent against the provider's published description."""
    check_batch: Callable[[Json], None]
    """The same for what `batch` writes: the suite's own objects have to be true."""
    counts: bool = True
    """Whether a batch tells how many of its lines have succeeded and failed."""
    embeds: bool = True
    """Whether its batches have the embeddings that its direct lane has."""
    numbers_pages: bool = False
    """Whether a list's pages have numbers; else each begins behind a batch."""
    has_pages: bool = True
    """Whether a list comes in pages; else it is an array of all."""

    def deployment(self, **changed: Any) -> Deployment:
        return self.direct.deployment(**changed)

    def format(self, **changed: Any) -> BatchFormat:
        return open_format(self.deployment(**changed))

    def line(self, number: int, body: Mapping[str, Any], endpoint: str = CHAT) -> Line:
        whole = {"model": PUBLIC_MODEL, **self.direct.extra, **body}
        return Line(number, f"custom {number}", endpoint, PUBLIC_MODEL, whole)

    def sent(self, body: Mapping[str, Any], endpoint: str = CHAT, **changed: Any) -> Json:
        """What a line of `body` is in the provider's format."""
        line = self.line(7, body, endpoint)
        sent: Json = json.loads(self.format(**changed).to_line(line, a_line_id(7)))
        return sent

    def scripted(self, *answers: Answer) -> tuple[BatchProvider, Script]:
        """The adapter of a provider that answers so, one call after the other."""
        script = Script(answers)
        headers = {"authorization": f"Bearer {KEY}"}
        transport = httpx.MockTransport(script)
        http = httpx.Client(base_url=BASE, headers=headers, transport=transport)
        return self.open(self.deployment(), http, KEY), script

    def page(self, *batches: Told, has_more: bool = False) -> httpx.Response:
        """Lists that have pages look alike, with all that each provider wants in it."""
        data = [self.batch(told) for told in batches]
        total = 1000 if has_more else len(data)
        page = {"object": "list", "data": data, "has_more": has_more, "total": total}
        return httpx.Response(200, json=page if self.has_pages else data)

    def pages(self, *groups: Sequence[Told]) -> list[httpx.Response]:
        """The answers to a call for each group, or to the one that brings all."""
        if not self.has_pages:
            return [self.page(*(told for group in groups for told in group))]
        last = len(groups) - 1
        return [self.page(*group, has_more=place < last) for place, group in enumerate(groups)]

    def counted(self, completed: int, failed: int) -> tuple[int, int]:
        """What is known of so many lines."""
        return (completed, failed) if self.counts else (0, 0)

    def shard_input(self, count: int = 3) -> ShardInput:
        """So many questions, as they are stored."""
        question = {"role": "user", "content": "Hi\nthere, {you}"}
        lines = [
            self.format().to_line(self.line(number, {"messages": [question]}), a_line_id(number))
            for number in range(1, count + 1)
        ]
        return ShardInput(lambda: lines, sum(map(len, lines)), count)


def intent(
    prepared: str = INPUT_FILE, lines: int = 3, since: int = SINCE, tag: Tag = TAG
) -> Intent:
    return Intent(prepared, tag, lines, since)


def read(provider: BatchProvider, cursor: Cursor = BEGINNING, outputs: int = 1) -> list[Result]:
    """All results of so many outputs behind `cursor`."""
    ids = [f"output-{place}" for place in range(outputs)]
    return list(provider.results(ids, PUBLIC_MODEL, cursor, number_of))


def numbers_of(results: Iterable[Result]) -> list[int | None]:
    """The lines that results are of, in their order; None for garbage."""
    return [result.outcome.number if result.outcome else None for result in results]


def as_jsonl(entries: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
