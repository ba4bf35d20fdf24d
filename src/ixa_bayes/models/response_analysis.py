"""Model files of response: which endpoints, which priors, which sampler settings.

A model file serves any ledger; what a study calls its endpoints is the only word they share.
"""

import hashlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ixa_bayes.study.definition import Name, StudyDefinition, Text

LITERATURE = "literature"
HIERARCHICAL = "hierarchical"
RESERVED = (LITERATURE, HIERARCHICAL)
MAIN_RESPONSE = "orr"
"""In a model file this name stands for what a study declares as its main response, if it declares one."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class RatePrior(_Strict):
    """A Beta belief about a rate, read as its mean and the number of patients it is worth.

    ``Beta(mean * patients, (1 - mean) * patients)``: ``patients`` is the exact prior effective
    sample size of a Beta prior (Neuenschwander et al. 2020, Biometrics 76:578).
    """

    name: Name
    mean: Annotated[float, Field(gt=0, lt=1)]
    patients: Annotated[float, Field(gt=0, le=10_000)]
    meaning: Text
    source: Text

    @property
    def a(self) -> float:
        """First parameter of the Beta distribution."""
        return self.mean * self.patients

    @property
    def b(self) -> float:
        """Second parameter of the Beta distribution."""
        return (1 - self.mean) * self.patients


class PoolingPrior(_Strict):
    """What is believed about rates that are alike: ``logit(rate_g) = mu + tau z_g``.

    ``mu ~ N(mu_mean, mu_sd)``, ``tau ~ half-N(tau_scale)``, ``z_g ~ N(0, 1)``.
    """

    mu_mean: Annotated[float, Field(gt=-10, lt=10)]
    mu_sd: Annotated[float, Field(gt=0, lt=10)]
    tau_scale: Annotated[float, Field(gt=0, lt=10)]
    meaning: Text
    source: Text

    def prior_numbers(self) -> dict[str, float]:
        """The numbers that the compiled model takes as data."""
        return {"mu_mean": self.mu_mean, "mu_sd": self.mu_sd, "tau_scale": self.tau_scale}


class HierarchicalSettings(PoolingPrior):
    """Prior and sampler of the partially pooled model of a study's own groups."""

    target_accept: Annotated[float, Field(ge=0.5, lt=1)] = 0.98
    draws: Annotated[int, Field(ge=100, le=100_000)] = 2000
    tune: Annotated[int, Field(ge=100, le=100_000)] = 1000


class ResponseAnalysis(_Strict):
    """The content of a model file of kind ``response``.

    ``endpoints`` names binary endpoints, or is ``"binary"`` for all that a study has; ``except``
    leaves some out. ``literature`` says how rates of other trials become a prior, where there is one
    for exactly that regimen and endpoint; without the section none is made. In both lists the name
    ``orr`` stands for the ``main_response`` of a study that declares one.
    """

    kind: Literal["response"]
    name: Name
    title: Text
    endpoints: Literal["binary"] | Annotated[tuple[Name, ...], Field(min_length=1)]
    leave_out: tuple[Name, ...] = Field(default=(), alias="except")
    priors: Annotated[tuple[RatePrior, ...], Field(min_length=1)]
    literature: PoolingPrior | None = None
    hierarchical: HierarchicalSettings | None = None
    next_patients: Annotated[int, Field(ge=1, le=10_000)] = 20

    @model_validator(mode="after")
    def _prior_names_are_distinct(self) -> Self:
        names = [prior.name for prior in self.priors]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"priors named twice: {', '.join(repeated)}")
        if reserved := sorted(set(names) & set(RESERVED)):
            raise ValueError(f"{', '.join(reserved)} is reserved: the package fills it in")
        return self

    @property
    def sha256(self) -> str:
        """Hash of what the file says, comments and layout aside."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()

    def endpoints_of(self, definition: StudyDefinition) -> tuple[str, ...]:
        """The endpoints of this analysis that a study has, in the study's order.

        Endpoints that only say who could be evaluated are denominators, not results, and are left out.
        """
        denominators = {endpoint.evaluable for endpoint in definition.endpoints.values()}
        wanted = None if self.endpoints == "binary" else _named_in(self.endpoints, definition)
        left_out = _named_in(self.leave_out, definition)
        return tuple(
            name
            for name, endpoint in definition.endpoints.items()
            if endpoint.kind == "binary"
            and name not in denominators
            and name not in left_out
            and (wanted is None or name in wanted)
        )

    def title_in(self, definition: StudyDefinition) -> str:
        """The title; for the main response that a study declares, the label which the study gives it."""
        declared = definition.main_response
        if declared is None or self.endpoints != (MAIN_RESPONSE,):
            return self.title
        return definition.endpoints[declared].label


def _named_in(names: tuple[str, ...], definition: StudyDefinition) -> set[str]:
    """The endpoints meant, with the study's own main response in the place of the usual name."""
    declared = definition.main_response
    return {declared if declared is not None and name == MAIN_RESPONSE else name for name in names}
