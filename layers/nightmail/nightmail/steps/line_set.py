"""A set of line numbers that takes a bit for each line of the file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

_BITS = 8


class LineSet(Collection[int]):
    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self._bits = bytearray()
        self._count = 0
        self.update(numbers)

    @classmethod
    def from_bytes(cls, content: bytes) -> LineSet:
        """What `to_bytes` was made of."""
        found = cls()
        found._bits = bytearray(content)
        found._count = int.from_bytes(content, "little").bit_count()
        return found

    def to_bytes(self) -> bytes:
        return bytes(self._bits)

    def add(self, number: int) -> None:
        place, bit = divmod(number, _BITS)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        if number not in self:
            self._bits[place] |= 1 << bit
            self._count += 1

    def update(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.add(number)

    def __contains__(self, number: object) -> bool:
        if not isinstance(number, int):
            return False
        place, bit = divmod(number, _BITS)
        return 0 <= place < len(self._bits) and bool(self._bits[place] & 1 << bit)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return (number for number in range(len(self._bits) * _BITS) if number in self)

    def __or__(self, other: LineSet) -> LineSet:
        both = (int.from_bytes(each.to_bytes(), "little") for each in (self, other))
        size = max(len(self._bits), len(other._bits))
        return LineSet.from_bytes((next(both) | next(both)).to_bytes(size, "little"))
