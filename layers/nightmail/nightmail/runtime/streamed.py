"""What a handler returns that streams."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """An answer for API Gateway whose body goes out piece by piece, each as soon as it is there.

    `headers` has all values of each name. `body` is closed in any case: what it holds is let go of
    where the answer can't be delivered. An exception of it ends the answer as broken.
    """

    status: int
    headers: Mapping[str, Sequence[str]]
    body: Generator[bytes]
