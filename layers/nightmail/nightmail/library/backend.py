"""Who calls the models: this process, or a gateway."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from nightmail.library.exceptions import NightmailError
from nightmail.library.objects import Batch

Body = dict[str, Any]
Item = Body | NightmailError


class Backend(Protocol):
    """A `body` is OpenAI's, with Nightmail's fields; so are the answers. All raise NightmailError.

    What `open_...` returns has begun; closing it closes the server's connection.
    """

    async def chat(self, body: Body) -> Body: ...

    async def open_chat(self, body: Body) -> AsyncGenerator[Body]: ...

    async def embed(self, body: Body) -> Body: ...

    async def many(self, body: Body) -> Sequence[Item] | Batch:
        """In the order of the prompts, exceptions in their places; or a batch that was asked for."""

    async def race(self, body: Body) -> Body:
        """The first good answer; its `nightmail.race` tells what became of each model."""

    async def open_race(self, body: Body) -> AsyncGenerator[Body]: ...

    async def all_responses(self, body: Body) -> Sequence[Item]:
        """In the order of the models, exceptions in their places."""
