"""What a plan would use and cost, summed up from its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nightmail.bill import TakenLane
from nightmail.estimate import Estimate, EstimatedWay
from nightmail.providers.base import FormatOf
from nightmail.steps.estimation import Tally
from nightmail.steps.line_sorter import Sorted
from nightmail.steps.part_writer import Draft, Way


def estimate_of(ways: Sequence[Way], plan: Sorted, format_of: FormatOf) -> Estimate:
    """The estimate of a finished plan."""
    drafts = plan.finished
    estimated: dict[tuple[int, TakenLane], EstimatedWay] = {}
    for draft in drafts:
        if draft.lane != "refused":
            key = draft.way, draft.lane
            before = estimated.get(key) or _nothing_yet(ways[draft.way], draft.lane)
            estimated[key] = _with(before, draft)
    shards = sum(draft.lane == "native" for draft in drafts)
    refused = [draft for draft in drafts if draft.lane == "refused"]
    found = [way for _, way in sorted(estimated.items(), key=lambda item: item[0])]
    return Estimate(
        lines=sum(draft.lines for draft in drafts),
        refused=sum(draft.lines for draft in refused),
        shards=shards,
        chunks=len(drafts) - shards - len(refused),
        ways=found,
        warnings=[
            *_warnings(found),
            *_too_small(ways, drafts, format_of),
            *_of_files(drafts),
            *_told(plan.refusals),
        ],
    )


def _nothing_yet(way: Way, lane: TakenLane) -> EstimatedWay:
    return EstimatedWay(
        model=way.deployment.name,
        provider=way.deployment.provider,
        provider_model=way.deployment.model,
        endpoint=way.endpoint,
        lane=lane,
    )


def _with(way: EstimatedWay, draft: Draft) -> EstimatedWay:
    tally = draft.tally or Tally()
    return way.model_copy(
        update={
            "lines": way.lines + draft.lines,
            "parts": way.parts + 1,
            "input_tokens": way.input_tokens + tally.input_tokens,
            "output_tokens": way.output_tokens + tally.output_tokens,
            "unlimited": way.unlimited + tally.unlimited,
            "cost": way.cost + tally.cost,
        }
    )


def _warnings(ways: Sequence[EstimatedWay]) -> Iterator[str]:
    for way in ways:
        name = f"the model '{way.model}' ({way.provider}/{way.provider_model})"
        if way.cost.amount is None:
            yield f"No price is known for {name}."
        if way.unlimited:
            yield (
                f"{way.unlimited} requests to {way.endpoint} for {name} set no limit to their output"
                " (max_completion_tokens): it is in no figure."
            )


def _too_small(ways: Sequence[Way], drafts: Sequence[Draft], format_of: FormatOf) -> Iterator[str]:
    """Of shards that are no chunks only because the config says `batch: native`."""
    for draft in drafts:
        if draft.lane != "native":
            continue
        deployment = ways[draft.way].deployment
        least = format_of(deployment).limits.minimum_lines
        if draft.lines < least:
            yield (
                f"{draft.lines} requests for the model '{deployment.name}' would fail: a batch of "
                f"{deployment.provider}'s has {least} at least. With batch: auto they are called."
            )


def _of_files(drafts: Sequence[Draft]) -> Iterator[str]:
    count = sum(draft.tally.with_files for draft in drafts if draft.tally)
    if count:
        yield f"{count} lines have images or files, whose tokens are not estimated."


def _told(refusals: dict[str, int]) -> Iterator[str]:
    for reason, count in refusals.items():
        yield f"{count} requests would be refused: {reason}"
