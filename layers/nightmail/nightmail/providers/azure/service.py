"""What Azure OpenAI has, and where: one resource has two surfaces of the same.

Without an `api_version` it is that of `/openai/v1`, which has no versions; a dated one, such as
`2024-10-21`, is of the older, which names a deployment in its URLs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode, urlsplit

from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT, COMPLETIONS, EMBEDDINGS, RESPONSES
from nightmail.providers.base import Limits
from nightmail.providers.openai_protocol.batch_api import OPENAI_ENDINGS, BatchApi
from nightmail.providers.openai_protocol.request import base_of
from nightmail.providers.openai_protocol.servers import Server, as_openai

SERVER = Server(endpoints=as_openai(CHAT, EMBEDDINGS, COMPLETIONS, RESPONSES), is_exact=True)
# learn.microsoft.com/azure/ai-services/openai/how-to/batch; older versions write their words large.
BATCHES = BatchApi(
    limits=Limits(lines=100_000, bytes=200_000_000),
    endpoints=frozenset({CHAT, RESPONSES}),
    endings={**OPENAI_ENDINGS, **{word.title(): end for word, end in OPENAI_ENDINGS.items()}},
    follows_redirects=False,
)
# The older surface writes this endpoint as its own URLs do.
DATED_BATCHES = replace(BATCHES, urls={CHAT: "/chat/completions"})
# Words that stand for the surface without dates.
_UNDATED = frozenset({"v1", "latest", "preview"})
# People give the resource's own URL, or one of a surface.
_SURFACE = re.compile(r"/openai(/.*)?$")
# A header and claims, which begin with a brace in base64, and a signature.
_TOKEN = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")


@dataclass(frozen=True, slots=True)
class Address:
    """`base` is a surface's URL, and `query` what goes with every call to it."""

    base: str
    query: tuple[tuple[str, str], ...]
    is_dated: bool

    def url_of(self, endpoint: str, model: str) -> str:
        path = endpoint.removeprefix("/v1")
        if self.is_dated and endpoint != RESPONSES:
            path = f"/deployments/{quote(model, safe='')}{path}"
        return f"{self.base}{path}{'?' if self.query else ''}{urlencode(self.query)}"


def address_of(deployment: Deployment) -> Address:
    """Raises InvalidRequest where nobody said which resource it is."""
    given = urlsplit(base_of(deployment, SERVER))
    resource = given._replace(path=_SURFACE.sub("", given.path)).geturl()
    version, is_dated = deployment.api_version, has_date(deployment)
    query = (("api-version", version),) if version else ()
    return Address(f"{resource}/openai{'' if is_dated else '/v1'}", query, is_dated)


def has_date(deployment: Deployment) -> bool:
    """Whether it is of the older surface."""
    version = deployment.api_version
    return version is not None and version not in _UNDATED


def headers_of(key: str | None) -> dict[str, str]:
    """A token of Entra's is a JWT (RFC 7519) and goes as a bearer's; keys of a resource never look so."""
    if key and _TOKEN.fullmatch(key):
        return {"authorization": f"Bearer {key}"}
    return {"api-key": key} if key else {}
