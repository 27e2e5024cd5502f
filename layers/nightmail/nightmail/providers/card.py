"""What a provider's folder declares of itself, in a module `card` that holds a `CARD`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nightmail.deployment import Deployment
from nightmail.providers.base import BatchProvider, FormatOf
from nightmail.providers.direct import DirectProvider
from nightmail.providers.objects import Objects


def _always(deployment: Deployment) -> bool:  # noqa: ARG001 - the shape of `has_batches`
    return True


@dataclass(frozen=True, kw_only=True)
class Card:
    """Whom a folder serves, and with which lanes.

    Its module imports no adapter: the functions do, when they are first called, so that who speaks to
    one provider does not wait for all. Deployments come with an `api_base` that is no reference any more.
    """

    names: frozenset[str]
    """The providers, as the config calls them."""

    direct_endpoints: Callable[[str], frozenset[str]]
    """Those of the direct lane of one of `names`, as OpenAI writes them."""

    open_direct: Callable[[Deployment, str | None], DirectProvider]
    """The direct lane of a deployment with its key. Raises InvalidRequest."""

    format: FormatOf | None = None
    """What its native lane takes: planning needs that alone, and no key. None where it has no batches."""

    open_batches: Callable[[Deployment, str | None], BatchProvider] | None = None
    """The native lane of a deployment with its key. Raises InvalidRequest."""

    open_shared: Callable[[Deployment, Objects], BatchProvider] | None = None
    """The same of a provider that is called by the gateway's role, and finds the lines in its bucket."""

    has_batches: Callable[[Deployment], bool] = _always
    """Whether a deployment has the native lane that its provider has."""

    batches_need: str = ""
    """What a deployment has to be for that, in words for the operator."""

    can_cancel: bool = True
    """Whether a batch can be stopped; if not, what was submitted runs to its end, and is paid."""

    bases: Mapping[str, str] = field(default_factory=dict)
    """The URLs of those of `names` that have one of their own and speak OpenAI's protocol."""
