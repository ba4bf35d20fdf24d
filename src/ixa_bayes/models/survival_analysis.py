"""Model files of survival: which endpoint, which baseline hazard, which covariates, which beliefs.

A model file serves any cohort that has its columns; the only words they share are the names of the
endpoint and of the covariates.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ixa_bayes.study.definition import Name, Text
from ixa_bayes.study.toml_files import KeyFault, KeyFaultsError

MONTHS_PER: Final[Mapping[str, float]] = {"month": 1.0, "year": 12.0, "day": 1 / 30.4375}
MOST_MARGINALISED: Final = 4
_EXPRESSION: Final = re.compile(r"^\s*([^\s<>=](?:[^<>=]*[^\s<>=])?)\s*(?:(<=|>=|==|<|>)\s*([^\s<>=](?:.*\S)?)\s*)?$")

Positive = Annotated[float, Field(gt=0, lt=math.inf)]
Finite = Annotated[float, Field(gt=-math.inf, lt=math.inf)]
Time = Annotated[float, Field(gt=0, le=1200)]
"""Months."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class NormalPrior(_Strict):
    """A normal belief about a log hazard ratio."""

    kind: Literal["normal"]
    mean: Finite = 0.0
    sd: Positive
    source: Text


class StudentTPrior(_Strict):
    """A Student t belief about a log hazard ratio: as a normal one, but it gives way to strong data."""

    kind: Literal["student_t"]
    location: Finite = 0.0
    scale: Positive
    df: Annotated[float, Field(ge=1, le=1000)]
    source: Text


RatioPrior = Annotated[NormalPrior | StudentTPrior, Field(discriminator="kind")]


class HorseshoePrior(_Strict):
    """Regularised horseshoe on the log hazard ratios of a set of covariates.

    Attributes
    ----------
    covariates : tuple of str
        Those of the model that share the prior; they have no ``prior`` of their own.
    global_scale : float
        Scale of the half-Cauchy belief about tau.
    slab_scale, slab_df : float
        A ratio that escapes shrinkage has a Student t prior with these.
    """

    kind: Literal["horseshoe"]
    covariates: Annotated[tuple[Name, ...], Field(min_length=1)]
    global_scale: Positive = 0.5
    slab_scale: Positive = 2.0
    slab_df: Annotated[float, Field(ge=1, le=1000)] = 4.0
    source: Text


class R2D2Prior(_Strict):
    """R2D2 on the log hazard ratios of a set of covariates: a belief about how much they explain together.

    Attributes
    ----------
    covariates : tuple of str
        Those of the model that share the prior; they have no ``prior`` of their own.
    r2_mean, r2_precision : float
        Of the Beta belief about R2, the share of the variance of the linear predictor plus 1.
    concentration : float
        Of the Dirichlet belief about how R2 is shared; below 1 a few covariates have most of it.
    scales : mapping of str to float
        Standard deviation of a covariate (or coefficient) as it is coded; 1 if not given.
    """

    kind: Literal["r2d2"]
    covariates: Annotated[tuple[Name, ...], Field(min_length=1)]
    r2_mean: Annotated[float, Field(gt=0, lt=1)] = 0.3
    r2_precision: Positive = 3.0
    concentration: Positive = 0.5
    scales: dict[str, Positive] = Field(default_factory=dict)
    source: Text


ShrinkagePrior = Annotated[HorseshoePrior | R2D2Prior, Field(discriminator="kind")]
CoefficientPrior = NormalPrior | StudentTPrior | HorseshoePrior | R2D2Prior


class ShapePrior(_Strict):
    """Log-normal belief about the Weibull shape; 1 is a constant hazard."""

    median: Positive = 1.0
    log_sd: Positive
    source: Text


class MedianPrior(_Strict):
    """Log-normal belief about the median survival of the reference profile.

    In the piecewise-exponential model the median that a hazard would have if it went on for ever.
    """

    months: Time
    log_sd: Positive
    source: Text


class RatePrior(_Strict):
    """Normal belief about b0, the log cumulative hazard of the reference profile at one unit of time.

    In the piecewise-exponential model about each log hazard per unit of time.
    """

    mean: Finite
    sd: Positive
    unit: Literal["day", "month", "year"]
    source: Text


class _Baseline(_Strict):
    median: MedianPrior | None = None
    log_rate: RatePrior | None = None

    @model_validator(mode="after")
    def _one_level(self) -> Self:
        if (self.median is None) == (self.log_rate is None):
            raise ValueError("give exactly one of `median` (of the reference profile) and `log_rate`")
        return self

    @property
    def level(self) -> MedianPrior | RatePrior:
        """The belief about how high the hazard is."""
        level = self.median or self.log_rate
        if level is None:
            raise AssertionError("validation lets no baseline without a level through")
        return level


class WeibullBaseline(_Baseline):
    """``h0(t) = shape exp(b0) t^(shape - 1)``."""

    law: Literal["weibull"]
    shape: ShapePrior


class Walk(_Strict):
    """What neighbouring intervals have is alike: a random walk whose steps grow with the distance of their midpoints.

    Of the log hazards, or of a covariate's log hazard ratios. ``scale`` is that of a half-normal belief about the
    standard deviation of the change over a year.
    """

    scale: Positive
    source: Text


class PiecewiseBaseline(_Baseline):
    """A hazard that is constant on ``(c_j-1, c_j]``.

    Exactly one of ``cuts`` (months), ``event_quantiles`` (cut-points at quantiles of the event times)
    and ``n_intervals`` (as many intervals with equally many events) says where the intervals end. An event between
    two visits is taken at the later of the two visits for this, and for nothing else.
    """

    law: Literal["piecewise_exponential"]
    cuts: tuple[Time, ...] | None = None
    event_quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = None
    n_intervals: Annotated[int, Field(ge=1, le=50)] | None = None
    walk: Walk | None = None

    @property
    def may_have_several_intervals(self) -> bool:
        """Whether there is any cut-point, unless ties of events leave none."""
        return bool(self.cuts or self.event_quantiles or (self.n_intervals or 1) > 1)

    @model_validator(mode="after")
    def _one_way_to_cut(self) -> Self:
        if sum(way is not None for way in (self.cuts, self.event_quantiles, self.n_intervals)) != 1:
            raise ValueError("give exactly one of `cuts`, `event_quantiles` and `n_intervals`")
        for name, values in (("cuts", self.cuts), ("event_quantiles", self.event_quantiles)):
            if values is not None and any(b <= a for a, b in pairwise(values)):
                raise ValueError(f"`{name}` must rise; found {list(values)}")
        return self


Baseline = Annotated[WeibullBaseline | PiecewiseBaseline, Field(discriminator="law")]


@dataclass(frozen=True)
class Expression:
    """What a covariate of the model is made from: a column of the cohort, or a comparison with it."""

    column: str
    operator: str = ""
    operand: str = ""


class ModelCovariate(_Strict):
    """One covariate of the model.

    Attributes
    ----------
    source : str
        Key ``from``: a column of the cohort, or a comparison such as ``gfr <= 70``; the name if not given.
    per, centre : float
        Of a continuous covariate: the log hazard ratio is per so many units, and 0 stands for this value.
        ``centre`` of a binary one moves the reference profile between its two values.
    prior : RatioPrior, optional
        Of the log hazard ratio; of each level against the reference for a factor with several levels,
        unless ``levels`` has one for the level. A covariate in the set of ``shrinkage`` has none.
    levels : mapping of str to RatioPrior
    walk : Walk, optional
        In a piecewise-exponential model: the effect may change from interval to interval, and ``prior`` is about its
        mean over the intervals. Without it the hazards are proportional.
    implies : tuple of str
        Other binary covariates of the model that are 1 whenever this one is; a row of the cohort that contradicts it
        is a fault.
    missing : str
        ``complete_case`` leaves out patients without a value; they are counted. ``marginalise`` sums both values of a
        binary covariate out of the likelihood, under a model of its own given the other covariates. That model knows
        nothing of ``implies``, so a covariate that implies another or is implied cannot be marginalised.
    """

    source: Text = Field(default="", alias="from")
    per: Positive = 1.0
    centre: Finite = 0.0
    prior: RatioPrior | None = None
    levels: dict[str, RatioPrior] = Field(default_factory=dict)
    walk: Walk | None = None
    implies: tuple[Name, ...] = ()
    missing: Literal["complete_case", "marginalise"] = "complete_case"
    label: Text = ""

    @model_validator(mode="after")
    def _source_can_be_read(self) -> Self:
        if self.source and not _EXPRESSION.match(self.source):
            raise ValueError(f"`from` is {self.source!r}; write a column, or a comparison such as 'gfr <= 70'")
        return self

    def expression(self, name: str) -> Expression:
        """``from`` taken apart; the covariate's own name if it says nothing."""
        match = _EXPRESSION.match(self.source or name)
        if match is None:
            raise AssertionError("validation lets no unreadable expression through")
        column, operator, operand = match.groups()
        return Expression(column, operator or "", operand or "")


class MissingModel(_Strict):
    """Normal priors, centred at 0, of the logistic models of marginalised covariates."""

    intercept_sd: Positive = 1.5
    coefficient_sd: Positive = 1.0
    source: Text = "weakly informative: any prevalence, odds ratios between covariates from 0.14 to 7.1"


class SurvivalEstimands(_Strict):
    """What is reported beside the hazard ratios.

    Attributes
    ----------
    times : tuple of float
        Months at which survival is reported.
    horizon : float
        Months up to which mean survival is restricted.
    thresholds : tuple of float
        c of P(HR > c).
    equivalence : tuple of float
        A hazard ratio between these is practically no effect.
    """

    times: Annotated[tuple[Time, ...], Field(min_length=1)] = (12.0, 24.0)
    horizon: Time = 24.0
    thresholds: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1.0, 1.25, 2.0)
    equivalence: tuple[Positive, Positive] = (0.8, 1.25)


class SurvivalSampler(_Strict):
    """Length and care of the sampling; four chains always.

    ``engine`` names the sampler: nutpie, or PyMC's own NUTS, which is slower and draws from the same posterior.
    """

    engine: Literal["nutpie", "pymc"] = "nutpie"
    draws: Annotated[int, Field(ge=100, le=100_000)] = 1000
    tune: Annotated[int, Field(ge=100, le=100_000)] = 1000
    target_accept: Annotated[float, Field(ge=0.5, lt=1)] = 0.9


class SurvivalAnalysis(_Strict):
    """The content of a model file of kind ``survival``."""

    kind: Literal["survival"]
    name: Name
    title: Text
    endpoint: Name
    baseline: Baseline
    covariates: dict[Name, ModelCovariate] = Field(default_factory=dict)
    shrinkage: ShrinkagePrior | None = None
    missing: MissingModel = MissingModel()
    estimands: SurvivalEstimands = SurvivalEstimands()
    sampler: SurvivalSampler = SurvivalSampler()

    @model_validator(mode="after")
    def _implied_covariates_exist(self) -> Self:
        for name, covariate in self.covariates.items():
            if unknown := sorted(set(covariate.implies) - set(self.covariates)):
                raise ValueError(f"covariate {name} implies {', '.join(unknown)}, which the model does not have")
        return self

    @model_validator(mode="after")
    def _every_covariate_has_one_prior(self) -> Self:
        shared = set(self.shrinkage.covariates) if self.shrinkage else set()
        if unknown := sorted(shared - set(self.covariates)):
            raise ValueError(f"shrinkage names {', '.join(unknown)}, which the model does not have")
        for name, covariate in self.covariates.items():
            if name in shared and (covariate.prior or covariate.levels):
                raise ValueError(f"covariate {name} has a prior of its own and shares that of shrinkage; keep one")
            if name not in shared and covariate.prior is None:
                raise ValueError(f"covariate {name} has no prior; give it one, or add it to the set of shrinkage")
        return self

    @model_validator(mode="after")
    def _few_covariates_are_marginalised(self) -> Self:
        names = [name for name, covariate in self.covariates.items() if covariate.missing == "marginalise"]
        if len(names) > MOST_MARGINALISED:
            raise ValueError(
                f"{len(names)} covariates are marginalised ({', '.join(names)}); at most {MOST_MARGINALISED} can be, "
                "since every pattern of their values is summed"
            )
        return self

    @model_validator(mode="after")
    def _no_impossible_value_is_summed(self) -> Self:
        # Directly or at any remove is the same here: what is implied at two removes is implied by its neighbour too.
        faults = []
        for name, covariate in self.covariates.items():
            implying = [other for other, its in self.covariates.items() if name in its.implies]
            related = [f"implies {other}" for other in covariate.implies] + [f"is implied by {one}" for one in implying]
            if covariate.missing == "marginalise" and related:
                partners = ", ".join(dict.fromkeys([*covariate.implies, *implying]))
                faults.append(
                    KeyFault(
                        ("covariates", name, "missing"),
                        repr("marginalise"),
                        f"{name} {' and '.join(related)}, and of a marginalised covariate both values are summed, "
                        "also the one that no such patient has",
                        f'write missing = "complete_case", or take {partners} out of the model',
                    )
                )
        if faults:
            raise KeyFaultsError(faults)
        return self

    @model_validator(mode="after")
    def _effects_change_between_intervals(self) -> Self:
        changing = [name for name, covariate in self.covariates.items() if covariate.walk]
        if not changing:
            return self
        named = f"the effect of {', '.join(changing)} changes over time (`walk`)"
        if not isinstance(self.baseline, PiecewiseBaseline):
            raise ValueError(f'{named}, which needs intervals; write law = "piecewise_exponential", or remove `walk`')
        if not self.baseline.may_have_several_intervals:
            raise ValueError(f"{named}, which needs at least two intervals; add cut-points, or remove `walk`")
        return self

    @property
    def sha256(self) -> str:
        """Hash of what the file says, comments and layout aside."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()
