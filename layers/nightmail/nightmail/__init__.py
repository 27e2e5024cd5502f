"""Nightmail: prompts in bulk, to one model or to many.

As a library: `from nightmail import batch_completion`. Its names are imported when they are asked for: the
gateway's functions, which are in the same package, start without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightmail.library.batch_results import *  # noqa: F403
    from nightmail.library.batches import *  # noqa: F403
    from nightmail.library.completions import *  # noqa: F403
    from nightmail.library.exceptions import *  # noqa: F403
    from nightmail.library.file_objects import *  # noqa: F403
    from nightmail.library.files import *  # noqa: F403
    from nightmail.library.objects import *  # noqa: F403
    from nightmail.library.stream import *  # noqa: F403

_HOMES = {
    "batch_results": """
        abatch_completion_results abatch_completion_retrieve abatch_completion_wait
        batch_completion_results batch_completion_retrieve batch_completion_wait
    """,
    "batches": """
        abatch_completion_create abatch_completion_list abatch_completion_retry acancel_batch
        acreate_batch alist_batches aretrieve_batch aretry_batch batch_completion_create
        batch_completion_list batch_completion_retry cancel_batch create_batch list_batches
        retrieve_batch retry_batch
    """,
    "completions": """
        abatch_completion abatch_completion_models abatch_completion_models_all_responses acompletion
        aembedding batch_completion batch_completion_models batch_completion_models_all_responses
        completion embedding
    """,
    "exceptions": """
        APIConnectionError APIError APIStatusError APITimeoutError AuthenticationError BadRequestError
        ConflictError InternalServerError NightmailError NotFoundError PermissionDeniedError
        RateLimitError Timeout UnprocessableEntityError
    """,
    "files": """
        FileContent acreate_file afile_content afile_delete afile_list afile_retrieve create_file
        file_content file_delete file_list file_retrieve
    """,
    "file_objects": "FileDeleted FileObject FilePage",
    "objects": """
        Batch BatchPage EmbeddingResponse Message ModelResponse ModelResponseStream Object Outcome
        ToolCall Usage
    """,
    "stream": "Stream",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


# LiteLLM's page on batches takes `os` from the package, too.
_MODULES = {"exceptions": "nightmail.exceptions", "os": "os"}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_HOME_OF)
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name not in _HOME_OF:
        raise AttributeError(f"module 'nightmail' has no attribute '{name}'", name=name)
    return getattr(import_module(f"nightmail.library.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
