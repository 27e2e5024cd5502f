"""State CollectShard: fetch the provider's results, book them, and pass on the lines that are owed.

The figures of a shard are booked here, once, after its outcomes are in the bucket. Lines that others
take over leave it in the same write.
"""

from __future__ import annotations

from typing import Any

from nightmail.batch import Batch
from nightmail.errors import ConfigError, NotFound, ProviderError
from nightmail.file import StoredFile
from nightmail.line_ids import number_in
from nightmail.part import Ending, refused_by
from nightmail.payloads import Next, ShardTask, StepResult
from nightmail.shard import Shard, ShardState
from nightmail.steps.collection import Collector, reasons_in
from nightmail.steps.deadline import in_time
from nightmail.steps.passing_on import PassingOn, Reason, reason_of_silence
from nightmail.steps.shard_work import Courier, ShardWork, find_part, next_of
from nightmail.steps.succession import STAYS, Succession, SuccessionWriter
from nightmail.steps.waits import PATIENCE, TimeIsUp, overtime_seconds, try_again

# How long after the batch's end a provider may keep us from fetching what it has.
_GRACE_SECONDS = 3 * 3600
_STRANGERS = (
    "The provider's batch that this shard had adopted after an unclear answer has no results of this"
    " shard. Nothing was submitted again."
)


def collect_shard(task: ShardTask, courier: Courier, time_is_up: TimeIsUp) -> StepResult:
    """Where to go next: MORE, COLLECT again after a wait, POLL (results are missing), or what the
    track has come to.
    """
    found = find_part(task, courier.stores)
    if found is None:
        return StepResult(next=Next.DONE)
    batch, part = found
    if not isinstance(part, Shard) or next_of(part) is not Next.COLLECT:
        return StepResult(next=next_of(part))
    step = _Collecting(batch, part, courier).run(time_is_up)
    return in_time(batch, courier.clock(), step)


class _Collecting(ShardWork):
    def __init__(self, batch: Batch, shard: Shard, courier: Courier) -> None:
        super().__init__(batch, shard, courier)
        self._objects = courier.stores.objects
        self._collector = Collector(shard, self._objects, courier.pricer)

    def run(self, time_is_up: TimeIsUp) -> StepResult:
        if self._shard.provider_output_ids:
            try:
                if not self._fetch(time_is_up):
                    return StepResult(next=Next.MORE)
            except (ProviderError, ConfigError) as error:
                return self._failed(error)
        if self._shard.is_adopted and self._collector.has_strays_alone:
            return self._quarantine(_STRANGERS)
        return self._look_again() if self._is_incomplete() else self._settle()

    def _fetch(self, time_is_up: TimeIsUp) -> bool:
        """Whether all results were taken."""
        deployment, batch_id = self._shard.deployment, self._batch.id
        provider = self._courier.provider_of(deployment)
        results = provider.results(
            self._shard.provider_output_ids,
            deployment.name,
            self._collector.cursor,
            lambda text: number_in(text, batch_id),
        )
        return self._collector.take(results, time_is_up)

    def _failed(self, error: ProviderError | ConfigError) -> StepResult:
        attempts = self._shard.attempts
        in_time = overtime_seconds(self._batch, self._now()) < _GRACE_SECONDS
        if in_time and (error.retryable or attempts < PATIENCE):
            self._save(attempts=attempts + 1, last_refusal=error.message)
            retry_after_seconds = getattr(error, "retry_after_seconds", None)
            return try_again(Next.COLLECT, attempts, retry_after_seconds)
        return self._settle(ending=Ending.LOST, errors=[refused_by(error)])

    def _is_incomplete(self) -> bool:
        """Whether the provider has more than it showed: its results may lag, or were cut off."""
        shard = self._shard
        reported = shard.reported_completed + shard.reported_failed
        expected = shard.lines if shard.ending is Ending.COMPLETED else reported
        missing = self._collector.count < expected
        return bool(missing and shard.provider_output_ids and shard.rereads < PATIENCE)

    def _look_again(self) -> StepResult:
        """Back to polling: the provider may name other outputs by now."""
        rereads = self._shard.rereads
        self._collector.read_again()
        self._save(state=ShardState.SUBMITTED, rereads=rereads + 1)
        return try_again(Next.POLL, rereads)

    def _settle(self, **changes: Any) -> StepResult:
        """Book what there is; what is owed passes on, if there is anybody to take it."""
        shard = self._collector.book(self._shard.changed(**changes))
        reasons = reasons_in(self._collector.marks, reason_of_silence(shard))
        succession = self._succession(shard, reasons)
        self._parts.pass_on(
            _without(shard, self._collector.marks, reasons, succession), succession.successors
        )
        return self._next()

    def _succession(self, shard: Shard, reasons: bytes) -> Succession:
        counts = {reason: reasons.count(reason) for reason in Reason if reason in reasons}
        rules = PassingOn(self._batch, shard, self._courier.format_of, self._now())
        found = rules.destinations(counts)
        file = self._file() if found else None
        if file is None:
            return Succession(bytearray(len(reasons)), shard.index)
        destinations = list(dict.fromkeys(found.values()))
        table = bytearray(256)
        for reason, destination in found.items():
            table[reason] = destinations.index(destination) + 1
        track = self._parts.of_track(self._batch.id, "shard", shard.number)
        writer = SuccessionWriter(
            self._batch, shard, self._collector.numbers, track[-1].round, file, self._objects
        )
        return writer.write(reasons.translate(table), destinations, self._courier.format_of)

    def _file(self) -> StoredFile | None:
        """The input file: without it nobody can be asked again."""
        owner, file_id = self._batch.owner, self._batch.input_file_id
        try:
            return self._stores.files.get(owner, file_id, self._now())
        except NotFound:
            return None


def _without(shard: Shard, marks: bytes, reasons: bytes, succession: Succession) -> Shard:
    """The shard with the lines that stay. It has expired if one of these has."""
    each = zip(succession.goes, marks, reasons, strict=True)
    has_expired = any(
        goes == STAYS and (not mark or reason == Reason.EXPIRED) for goes, mark, reason in each
    )
    is_done_in_time = shard.ending is Ending.EXPIRED and not has_expired
    is_refused = shard.ending in {Ending.FAILED, Ending.LOST} and not shard.provider_output_ids
    lines = succession.goes.count(STAYS)
    return shard.changed(
        state=ShardState.STOPPED if is_refused else ShardState.COLLECTED,
        ending=Ending.COMPLETED if is_done_in_time else shard.ending,
        lines=lines,
        index=succession.index,
        failed=lines - shard.completed,
    )
