"""Bedrock's streams as bytes."""

from __future__ import annotations

from local.simulator.bedrock.event_stream import event


def start() -> bytes:
    return event("messageStart", role="assistant")


def said(*pieces: str, index: int = 0) -> bytes:
    deltas = [
        event("contentBlockDelta", contentBlockIndex=index, delta={"text": p}) for p in pieces
    ]
    return b"".join(deltas) + event("contentBlockStop", contentBlockIndex=index)


def called(index: int, identity: str, name: str, *pieces: str) -> bytes:
    begun = {"toolUse": {"toolUseId": identity, "name": name}}
    deltas = [
        event("contentBlockDelta", contentBlockIndex=index, delta={"toolUse": {"input": piece}})
        for piece in pieces
    ]
    return (
        event("contentBlockStart", contentBlockIndex=index, start=begun)
        + b"".join(deltas)
        + event("contentBlockStop", contentBlockIndex=index)
    )


def end(usage: dict[str, int], reason: str = "end_turn") -> bytes:
    return event("messageStop", stopReason=reason) + event(
        "metadata", usage=usage, metrics={"latencyMs": 5}
    )
