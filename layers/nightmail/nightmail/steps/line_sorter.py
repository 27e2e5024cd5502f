"""Brings the lines of a batch to the parts of their ways, all of which are written side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from nightmail.direct_outcome import failed
from nightmail.errors import GatewayError, InvalidRequest, NotInBatches
from nightmail.line_ids import line_id
from nightmail.lines import Line
from nightmail.outcome import to_row
from nightmail.steps.estimation import Tally, tally_of
from nightmail.steps.lanes import Lanes
from nightmail.steps.part_writer import Draft, PartWriter, Way
from nightmail.steps.spools import Spools
from nightmail.steps.ways import Ways

if TYPE_CHECKING:
    from nightmail.prices.price import Pricer

_MOST_REASONS = 20


class Sorted(BaseModel):
    """The parts so far, and why lines were refused: so many for each reason."""

    open: list[Draft] = Field(default_factory=list)
    finished: list[Draft] = Field(default_factory=list)
    refusals: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class _OpenWay:
    """A way that lines have gone; `to_line` where they are sent in the provider's format."""

    way: Way
    writer: PartWriter
    to_line: Callable[[Line, str], bytes] | None


class LineSorter:
    """Writes for one batch. With a `pricer` what the lines may cost is summed up as well."""

    def __init__(
        self,
        batch_id: str,
        ways: Ways,
        lanes: Lanes,
        spools: Spools,
        pricer: Pricer | None,
    ) -> None:
        self._batch_id = batch_id
        self._ways = ways
        self._lanes = lanes
        self._spools = spools
        self._pricer = pricer
        self._open: dict[int, _OpenWay] = {}
        self._finished: list[Draft] = []
        self._refusals: dict[str, int] = {}

    def add(self, line: Line, place: int, start: int, end: int) -> None:
        """A line that goes the way at `place`: the input file's bytes from `start` to `end`."""
        opened = self._opened(place)
        if opened.way.lane == "refused":
            self._refuse(line, place, start, end, self._ways.refusal(place))
            return
        try:
            name = line_id(self._batch_id, line.number)
            content = opened.to_line(line, name) if opened.to_line else b""
        except InvalidRequest as error:
            called = self._ways.called(place) if isinstance(error, NotInBatches) else None
            if called is None:
                self._refuse(line, self._ways.refused(place), start, end, error)
            else:
                self.add(line, called, start, end)
            return
        opened.writer.add(line, start, end, content, self._tally(line, opened.way))

    def resume(self, before: Sorted) -> None:
        """Go on where `suspend` stopped."""
        self._refusals = before.refusals
        for draft in before.open:
            self._opened(draft.way).writer.resume(draft)
        self._finished = before.finished

    def suspend(self) -> Sorted:
        """Everything so far; the parts that are open are in the bucket as far as they have come."""
        drafts = [opened.writer.suspend() for opened in self._open.values()]
        return self._sorted([draft for draft in drafts if draft])

    def finish(self) -> Sorted:
        """Complete all parts."""
        for opened in self._open.values():
            opened.writer.finish()
        return self._sorted([])

    def _sorted(self, drafts: list[Draft]) -> Sorted:
        finished = [draft for each in self._open.values() for draft in each.writer.finished]
        return Sorted(open=drafts, finished=self._finished + finished, refusals=self._refusals)

    def _refuse(self, line: Line, place: int, start: int, end: int, error: GatewayError) -> None:
        reasons = self._refusals
        if error.message in reasons or len(reasons) < _MOST_REASONS:
            reasons[error.message] = reasons.get(error.message, 0) + 1
        row = to_row(failed(line.number, error))
        self._opened(place).writer.add(line, start, end, row)

    def _tally(self, line: Line, way: Way) -> Tally | None:
        if self._pricer is None or way.lane == "refused":
            return None
        return tally_of(line, way.deployment, way.lane, self._pricer)

    def _opened(self, place: int) -> _OpenWay:
        if place not in self._open:
            way = self._ways.known.ways[place]
            limits = self._lanes.limits(way.deployment, way.endpoint, way.lane)
            writer = PartWriter(self._batch_id, place, way.lane, limits, self._spools)
            is_native = way.lane == "native"
            to_line = self._lanes.format_of(way.deployment).to_line if is_native else None
            self._open[place] = _OpenWay(way, writer, to_line)
        return self._open[place]
