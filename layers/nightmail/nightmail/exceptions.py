"""The exceptions of the library, where OpenAI's and LiteLLM's users look for them."""

from nightmail.library.exceptions import *  # noqa: F403
