"""The ways of a batch: to which deployment each line goes, and by which lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import BaseModel, Field

from nightmail.balance import Balance
from nightmail.deployment import Deployment
from nightmail.errors import GatewayError, InvalidRequest, NotFound
from nightmail.lines import Line
from nightmail.providers.registry import why_unserved
from nightmail.steps.lanes import Lanes
from nightmail.steps.part_writer import Way, WayLane

MOST_WAYS = 100
_MOST_FALLBACKS = 10
_MOST_SIBLINGS = 5  # among them: a large group leaves room for the models that the config names

DeploymentsOf = Callable[[str], list[Deployment]]
"""Who answers to a model's name. Raises NotFound."""

FallbacksOf = Callable[[str], list[str]]
"""The models to ask where a model fails, in this order."""


class TooManyWays(Exception):
    """The lines go more ways than one batch has."""


class Group(BaseModel):
    """The ways that lines of one model and endpoint go, by turns."""

    ways: list[int]
    balance: Balance


class KnownWays(BaseModel):
    """The ways so far; `groups` by endpoint and model."""

    ways: list[Way] = Field(default_factory=list)
    groups: dict[str, Group] = Field(default_factory=dict)


class Ways:
    """Finds a way for each line, and keeps what it found in `known`."""

    def __init__(
        self,
        known: KnownWays,
        lanes: Lanes,
        deployments_of: DeploymentsOf,
        fallbacks_of: FallbacksOf,
    ) -> None:
        self.known = known
        self._lanes = lanes
        self._deployments_of = deployments_of
        self._fallbacks_of = fallbacks_of
        self._unserved: dict[str, NotFound] = {}
        # Any number of lines may leave their way: the one beside it is looked for once.
        self._called: dict[int, int | None] = {}
        self._refused: dict[int, int] = {}

    def take(self, line: Line) -> int:
        """The place of the way that a line goes.

        Raises NotFound where nobody serves its model, and TooManyWays.
        """
        key = f"{line.url} {line.model}"
        group = self.known.groups.get(key)
        if group is None:
            group = self.known.groups[key] = self._group(line)
        return group.ways[group.balance.take()] if len(group.ways) > 1 else group.ways[0]

    def called(self, place: int) -> int | None:
        """The place of the way for lines that no batch of a provider takes, beside the native one at
        `place`; None where its deployment may not be called.
        """
        if place not in self._called:
            self._called[place] = self._beside_called(place)
        return self._called[place]

    def refused(self, place: int) -> int:
        """The place of the way for lines that are refused, beside the one at `place`."""
        if place not in self._refused:
            self._refused[place] = self._beside_refused(place)
        return self._refused[place]

    def refusal(self, place: int) -> GatewayError:
        """Why every line of a way is refused from the start."""
        way = self.known.ways[place]
        return InvalidRequest(
            f"The model '{way.deployment.name}' cannot be used with {way.endpoint}: its provider,"
            f" {way.deployment.provider}, has no such endpoint here.",
            param="url",
            code="unsupported_endpoint",
        )

    def _beside_called(self, place: int) -> int | None:
        way = self.known.ways[place]
        if not self._lanes.may_call(way.deployment, way.endpoint):
            return None
        return self._place(way.model_copy(update={"lane": "direct"}))

    def _beside_refused(self, place: int) -> int:
        way = self.known.ways[place]
        if way.lane == "refused":
            return place
        return self._place(way.model_copy(update={"lane": "refused", "fallbacks": []}))

    def _group(self, line: Line) -> Group:
        if line.model in self._unserved:
            raise self._unserved[line.model]
        try:
            deployments = self._served(line.model)
        except NotFound as error:
            self._unserved[line.model] = error
            raise
        lanes = [self._lanes.lane_of(each, line.url) for each in deployments]
        lane: WayLane = next((name for name in ("native", "direct") if name in lanes), "refused")
        taken = [
            deployment
            for deployment, its_lane in zip(deployments, lanes, strict=True)
            if its_lane == lane
        ] or deployments[:1]
        ways = [self._way(line, each, deployments, lane) for each in taken]
        return Group(ways=[self._place(way) for way in ways], balance=Balance.among(taken))

    def _served(self, model: str) -> list[Deployment]:
        """The deployments that have a lane here."""
        found = [self._lanes.wanted(each) for each in self._deployments_of(model)]
        served = [each for each in found if self._lanes.is_served(each)]
        if not served:
            reasons = "; ".join(dict.fromkeys(map(why_unserved, found)))
            raise NotFound(
                f"The provided model '{model}' is not supported by the Batch API: {reasons}."
            )
        return served

    def _way(
        self, line: Line, deployment: Deployment, group: Sequence[Deployment], lane: WayLane
    ) -> Way:
        siblings = [each for each in group if each != deployment][:_MOST_SIBLINGS]
        others = [
            each for name in self._fallbacks_of(line.model) for each in self._standing_in(name)
        ]
        return Way(
            endpoint=line.url,
            deployment=deployment,
            lane=lane,
            fallbacks=[] if lane == "refused" else [*siblings, *others][:_MOST_FALLBACKS],
        )

    def _standing_in(self, model: str) -> list[Deployment]:
        try:
            return self._served(model)
        except NotFound:
            return []

    def _place(self, way: Way) -> int:
        ways = self.known.ways
        if way in ways:
            return ways.index(way)
        ways.append(way)
        if sum(each.lane != "refused" for each in ways) > MOST_WAYS or len(ways) > 2 * MOST_WAYS:
            raise TooManyWays
        return len(ways) - 1
