"""Where a batch's own objects lie in the bucket. All under `work/`, which is cleared by age."""

from __future__ import annotations


def batch_folder(batch_id: str) -> str:
    return f"work/{batch_id}"


def plan_key(batch_id: str) -> str:
    """How far planning has come."""
    return f"{batch_folder(batch_id)}/plan.json"


def custom_ids_key(batch_id: str, lines: int) -> str:
    """The custom_ids of the first `lines` lines: of two writes, the second may never come."""
    return f"{batch_folder(batch_id)}/plan.{lines}.ids"


def results_key(batch_id: str) -> str:
    """How far the output and error files have come."""
    return f"{batch_folder(batch_id)}/results.json"


def answered_key(batch_id: str) -> str:
    """Outcomes that a batch begins with: rows, sorted."""
    return f"{batch_folder(batch_id)}/answered"


def shard_items_key(batch_id: str) -> str:
    """What the map over the shards reads, by its name in the state machine."""
    return f"{batch_folder(batch_id)}/shards.jsonl"


def chunk_items_key(batch_id: str) -> str:
    """What the map over the chunks reads, by its name in the state machine."""
    return f"{batch_folder(batch_id)}/chunks.jsonl"


def part_folder(batch_id: str, first: int) -> str:
    """What planning wrote of the part whose first line has this number: no two have the same."""
    return f"{batch_folder(batch_id)}/parts/{first:012d}"


def work_folder(batch_id: str, track: str, number: int, round_: int) -> str:
    """What a part's workers write."""
    return f"{batch_folder(batch_id)}/{track}s/{number:06d}.{round_:02d}"


def runs_prefix(folder: str) -> str:
    """Under which the outcomes of a shard or a chunk lie, in objects that are sorted each."""
    return f"{folder}/run-"


def log_prefix(folder: str) -> str:
    """Under which the outcomes of a chunk lie as they came."""
    return f"{folder}/log-"


def numbers_key(folder: str) -> str:
    """The lines that have an outcome in so many bytes of a chunk's log: that number, and their bits."""
    return f"{folder}/numbers"
