"""Finds repeated custom_ids in a stream of any length, with twelve bytes a line.

Hashes of 64 bits are kept in sorted blocks and merged once at the end. Two different ids with one
hash (2 in 10^8 for a million lines) are told apart by whoever reads the candidates' lines again.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterator
from hashlib import blake2b

_BLOCK_LINES = 8_192


class CustomIds:
    """`add` every line's id, then ask for `candidates`."""

    def __init__(self) -> None:
        self._hashes: list[array[int]] = []
        self._numbers: list[array[int]] = []
        self._block: list[tuple[int, int]] = []

    def add(self, custom_id: str, number: int) -> None:
        digest = blake2b(custom_id.encode(), digest_size=8).digest()
        self._block.append((int.from_bytes(digest, "big"), number))
        if len(self._block) == _BLOCK_LINES:
            self._close_block()

    def candidates(self) -> Iterator[tuple[int, int]]:
        """Pairs of line numbers, the earlier first, whose ids are in all likelihood the same."""
        self._close_block()
        last_hash, first_number = -1, 0
        for digest, number in heapq.merge(*map(zip, self._hashes, self._numbers)):
            if digest == last_hash:
                yield first_number, number
            else:
                last_hash, first_number = digest, number

    def to_bytes(self) -> bytes:
        """Everything so far, for the next invocation."""
        self._close_block()
        hashes = b"".join(block.tobytes() for block in self._hashes)
        return hashes + b"".join(block.tobytes() for block in self._numbers)

    @classmethod
    def from_bytes(cls, data: bytes) -> CustomIds:
        ids = cls()
        lines = len(data) // 12
        hashes, numbers = array("Q", data[: lines * 8]), array("I", data[lines * 8 :])
        for start in range(0, lines, _BLOCK_LINES):
            block = slice(start, start + _BLOCK_LINES)
            pairs = sorted(zip(hashes[block], numbers[block], strict=True))
            ids._keep(pairs)
        return ids

    def _close_block(self) -> None:
        self._keep(sorted(self._block))
        self._block = []

    def _keep(self, pairs: list[tuple[int, int]]) -> None:
        if pairs:
            self._hashes.append(array("Q", [digest for digest, _ in pairs]))
            self._numbers.append(array("I", [number for _, number in pairs]))
