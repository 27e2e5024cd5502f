"""A batch as OpenRouter shows it: with all of its results within, which may have hundreds of megabytes.

The results are told apart from the rest while the body streams, and neither is held as a whole.
"""

from __future__ import annotations

import re

# What stands before the next mark, with the strings that are whole; a mark is a bracket, the quote of a
# string that goes on, and among results a comma.
_ELSEWHERE = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_AMONG_RESULTS = re.compile(rb'(?:[^"{}\[\],]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
# The rest of a string, as far as it has come.
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_RESULTS_BEGIN = re.compile(rb'(?<!\\)"results"\s*:\s*\[\Z')
_AMONG = 2  # brackets deep


class BatchBody:
    """Cuts a body while it is fed. `rest` is the batch with a 0 in the place of all its results.

    `head` is what was told of it before the first result, once that has begun.
    """

    def __init__(self) -> None:
        self.rest = bytearray()
        self._lines = bytearray()
        self._depth = 0
        self.head = b""
        self._is_in_results = self._is_in_string = False
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What there is of results in the next `chunk`, each to become a line."""
        content, self._held, place = self._held + chunk, b"", 0
        while place < len(content):
            place = (
                self._string(content, place) if self._is_in_string else self._step(content, place)
            )
        lines = bytes(self._lines)
        self._lines.clear()
        return lines

    def _string(self, content: bytes, place: int) -> int:
        end = _end_of(_IN_STRING, content, place)
        if content[end:] == b"\\":
            # The next chunk begins with what this escapes.
            self._held = content[end:]
        elif end < len(content):
            self._is_in_string, end = False, end + 1
        self._put(content[place:end])
        return end + len(self._held)

    def _step(self, content: bytes, place: int) -> int:
        is_among = self._is_in_results and self._depth == _AMONG
        end = _end_of(_AMONG_RESULTS if is_among else _ELSEWHERE, content, place)
        self._put(content[place:end])
        mark = content[end : end + 1]
        if mark == b"," and is_among:
            self._lines += b"\n"
        elif mark in {b"{", b"["}:
            self._open(mark)
        elif mark in {b"}", b"]"}:
            self._close(mark)
        else:
            self._is_in_string = mark == b'"'
            self._put(mark)
        return end + 1

    def _open(self, mark: bytes) -> None:
        self._put(mark)
        self._depth += 1
        if self._depth == _AMONG and mark == b"[" and _RESULTS_BEGIN.search(self.rest):
            self._is_in_results = True

    def _close(self, mark: bytes) -> None:
        self._depth -= 1
        if self._is_in_results and self._depth < _AMONG:
            self._is_in_results = False
            self._lines += b"\n"
        self._put(mark)

    def _put(self, piece: bytes) -> None:
        if not self._is_in_results:
            self.rest += piece
            return
        self._lines += piece.replace(b"\n", b" ")
        if piece.strip() and not self.head:
            self.rest += b"0"
            self.head = bytes(self.rest) + b"]}"


def _end_of(pattern: re.Pattern[bytes], content: bytes, place: int) -> int:
    found = pattern.match(content, place)
    return found.end() if found else place
