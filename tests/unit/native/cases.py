"""What every adapter of the native lane is shown, and has to tell, in our words.

An adapter joins the suite by one module that fills `NativeSamples` with its provider's own objects;
`table` finds it. Where a provider's calls differ from the usual ones, its module says so: in a field,
or in a subclass with a method of its own. Its direct lane's samples are used again: a line holds the
same request, and a result the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from nightmail.deployment import Deployment, Lane
from nightmail.line_ids import line_id, number_in
from nightmail.lines import Line
from nightmail.part import Ending
from nightmail.providers import native_lists
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
from nightmail.providers.registry import open_format, open_provider

from local.simulator.client import SimulatorClient
from tests.unit.adapters.cases import CHAT, KEY, PUBLIC_MODEL, AdapterSamples
from tests.unit.native.script import Answer, Script

Json = dict[str, Any]

BATCH_ID = "batch_019aa5f0c1de7a3b9d5e8f4c2b6a1d30"
TAG = Tag(BATCH_ID, 2, 1)
SINCE = 1795226400  # when the submission was about to be made, in Unix seconds
BASE = "http://provider.example/v1"
BEGINNING = Cursor()
INPUT_FILE = "file-in"
"""What `prepare` has answered where a batch is looked for."""
OUTCOMES = frozenset({Ending.COMPLETED, Ending.EXPIRED, Ending.CANCELLED})


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
    """Its status words, all of them; none where it tells counts alone."""
    request_in: Callable[[Json], Json]
    """The request within a line that is sent."""
    answered: Callable[[str, bytes], Json]
    """The result line of a line id, with an answer of the direct lane's."""
    refused: Callable[[str, int, str], Json]
    """The result line of one that failed with this status, in these words."""
    unanswered: Callable[[str, Ending], Json]
    """The result line of one that was cancelled, or that expired: of those in `told_unanswered`."""
    outputs: int
    """How many result files a batch may have."""
    check_lines: Callable[[Sequence[Json]], None]
    """Holds what is sent against the provider's published description."""
    check_batch: Callable[[Json], None]
    """The same for what `batch` writes: the suite's own objects have to be true."""

    # ---- What a batch is made of, and by which calls
    base: str = BASE
    """The base URL of the client that `open` gets."""
    lacks: frozenset[str] = frozenset()
    """Names of FEATURES that the direct lane has and batches have not."""
    lane: Lane = "auto"
    """What the config has to say of the lane, so that there is one."""
    embeds: bool = True
    """Whether its batches have the embeddings that its direct lane has."""
    prepared: str = "file-1"
    """What `prepare` answers, so that `submit` can be called alone."""
    uploads: bool = True
    """Whether the lines go to the provider by HTTP, and not through a bucket."""
    cancels: bool = True
    """Whether a batch can be stopped."""
    makes_once: bool = False
    """Whether no two batches with the same tag can be made."""

    # ---- Which batches it tells of
    lists: bool = True
    """Whether batches are found in a list of them."""
    finds: bool = True
    """Whether a batch is found again by any means."""
    entries: str = "data"
    """The field of a list's page that has the batches."""
    after: str = "after"
    """How the query of a list calls the last id seen."""
    numbers_pages: bool = False
    """Whether a list's pages have numbers; else each begins behind a batch."""
    newest_first: bool = False
    """Whether the provider promises that order of its list."""
    has_pages: bool = True
    """Whether a list comes in pages; else it is an array of all."""

    # ---- What it tells of a batch
    counts: bool = True
    """Whether a batch tells how many of its lines have succeeded and failed."""
    counts_while_it_runs: bool = True
    endings: frozenset[Ending] = OUTCOMES
    """How a batch may end."""
    without_results: frozenset[Ending] = frozenset()
    """Of those, the ones that take all results away."""
    told_unanswered: frozenset[Ending] = frozenset({Ending.CANCELLED, Ending.EXPIRED})
    """Those after which a line that was not run has a result that says so."""

    # ---- How results come
    in_files: bool = True
    """Whether results are JSON Lines."""
    downloads: bool = True
    """Whether an output is read by one GET, from an offset on."""
    is_ever_late: bool = True
    """Whether results may be shown later than the end."""
    garbage: Sequence[bytes] = (b"\xff\xfe", b"not JSON", b"5", b"null", b"[]", b'"x"')
    """Lines that are no results and may lie among them."""

    def deployment(self, **changed: Any) -> Deployment:
        return self.direct.deployment(**{"lane": self.lane, **changed})

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

    def has(self, feature: str) -> bool:
        """Whether its batches have what FEATURES calls so."""
        return feature not in self.lacks | self.direct.refused_features.keys()

    def shard_input(self, count: int = 3) -> ShardInput:
        """So many questions, as they are stored."""
        question = {"role": "user", "content": "Hi\nthere, {you}"}
        lines = [
            self.format().to_line(self.line(number, {"messages": [question]}), a_line_id(number))
            for number in range(1, count + 1)
        ]
        return ShardInput(lambda: lines, sum(map(len, lines)), count)

    # ---- The adapter

    def scripted(self, *answers: Answer) -> tuple[BatchProvider, Script]:
        """That of a provider that answers so, one call after the other."""
        script = Script(answers)
        headers = {"authorization": f"Bearer {KEY}"}
        transport = httpx.MockTransport(script)
        http = httpx.Client(base_url=self.base, headers=headers, transport=transport)
        return self.open(self.deployment(), http, KEY), script

    def serving(self, *outputs: bytes) -> BatchProvider:
        """That of a provider whose outputs are `output_ids`, and are these lines."""
        return self.scripted(*(httpx.Response(200, content=output) for output in outputs))[0]

    def opened(self, api_base: str) -> BatchProvider:
        """That of a server."""
        return open_provider(self.deployment(api_base=api_base), KEY)

    def rehearse(self, simulator: SimulatorClient) -> None:
        """Make the simulator ready for shards of three lines; most are so from the beginning."""

    # ---- Its calls, and the answers to them

    def identity(self, name: str) -> str:
        """The id that the provider gives to the batch that the suite calls so (`Told.identity`)."""
        return name

    def output_ids(self, count: int = 1) -> list[str]:
        """What `results` reads of so many outputs."""
        return [f"output-{place}" for place in range(count)]

    def preparing(self) -> list[httpx.Response]:
        """The answers to all calls of `prepare`, the last of which tells of `prepared`."""
        return [httpx.Response(200, json={"id": self.prepared})]

    def submitting(self) -> list[httpx.Response]:
        """The answers to what `submit` calls before the call that pays."""
        return []

    def started(self, identity: object) -> Json:
        """The answer to the call that pays."""
        return {"id": identity}

    def unclear(self) -> list[bytes]:
        """Good answers to the call that pays which do not tell what was started."""
        odd = [json.dumps(self.started(identity)).encode() for identity in (5, "")]
        return [b"", b"<html>", b"[]", b"{}", *odd, odd[0][:-1]]

    def is_submission(self, request: httpx.Request) -> bool:
        """Whether it is the call that pays."""
        return request.method == "POST" and request.url.path == self.path(self.batches)

    @property
    def submission(self) -> Json:
        """The calls that pay, as the simulator's faults match them."""
        return {"method": "POST", "path": self.batches}

    def batch_path(self, identity: str) -> str:
        """Of a batch with the provider's id, behind the base."""
        return f"{self.batches}/{identity}"

    def cancel_path(self, identity: str) -> str:
        return f"{self.batch_path(identity)}/cancel"

    def path(self, path: str) -> str:
        """The whole of one that lies behind the base."""
        return httpx.URL(self.base).path.rstrip("/") + path

    def page(self, *batches: Told, has_more: bool = False) -> httpx.Response:
        """Lists that have pages look alike, with all that each provider wants in it."""
        data = [self.batch(told) for told in batches]
        total = 1000 if has_more else len(data)
        page = {"object": "list", self.entries: data, "has_more": has_more, "total": total}
        return httpx.Response(200, json=page if self.has_pages else data)

    def pages(self, *groups: Sequence[Told]) -> list[httpx.Response]:
        """The answers to a call for each group, or to the one that brings all."""
        if not self.has_pages:
            return [self.page(*(told for group in groups for told in group))]
        last = len(groups) - 1
        return [self.page(*group, has_more=place < last) for place, group in enumerate(groups)]

    def queries(self, last: str) -> list[Json]:
        """What the first calls of a list ask by, where a first page of several ends with `last`."""
        if not self.has_pages:
            return [{}]
        size = str(native_lists.PAGE)
        if self.numbers_pages:
            return [{"page_size": size, "page": str(number)} for number in range(2)]
        return [{"limit": size}, {"limit": size, self.after: last}]

    def counted(self, completed: int, failed: int, left: int = 0) -> tuple[int, int]:
        """What is known of so many lines at the end."""
        return (completed, failed + left) if self.counts else (0, 0)

    def read(
        self, provider: BatchProvider, cursor: Cursor = BEGINNING, outputs: int = 1
    ) -> list[Result]:
        """All results of so many outputs behind `cursor`."""
        return read(provider, cursor, self.output_ids(outputs))


def intent(
    prepared: str = INPUT_FILE, lines: int = 3, since: int = SINCE, tag: Tag = TAG
) -> Intent:
    return Intent(prepared, tag, lines, since)


def read(
    provider: BatchProvider, cursor: Cursor = BEGINNING, ids: Sequence[str] = ("output-0",)
) -> list[Result]:
    """All results of these outputs behind `cursor`."""
    return list(provider.results(list(ids), PUBLIC_MODEL, cursor, number_of))


def numbers_of(results: Iterable[Result]) -> list[int | None]:
    """The lines that results are of, in their order; None for garbage."""
    return [result.outcome.number if result.outcome else None for result in results]


def as_jsonl(entries: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
