"""``models/hazard_ratios.toml``: the priors under which published effects are read again."""

import math
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ixa_bayes.formulas.normal import NormalPrior, prior_grid

Text = Annotated[str, Field(min_length=1)]

LITERATURE: Final = "literature"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Grid(_Strict):
    """The grid of neutral, optimistic and pessimistic priors.

    ``design_ratio`` is the hazard ratio that a study of such a factor would be planned to detect.
    It is a statement of the analyst's with a reason, never taken from the data; without it only
    the neutral priors exist.
    """

    design_ratio: Annotated[float, Field(gt=0, lt=math.inf)] | None = None
    reason: Text

    @model_validator(mode="after")
    def _ratio_has_a_side(self) -> Self:
        if self.design_ratio == 1:
            raise ValueError("design_ratio 1 has no side; state the effect a study would look for, or leave it out")
        return self


class NamedPrior(_Strict):
    """A normal prior on a log hazard ratio with its meaning and source."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    mean: Annotated[float, Field(gt=-math.inf, lt=math.inf)]
    sd: Annotated[float, Field(gt=0, lt=math.inf)]
    source: Text


class LiteraturePrior(_Strict):
    """When hazard ratios of other studies may become a prior, and what stands in otherwise.

    With at least ``min_rows`` independent rows the prior is the predictive distribution of one more
    study: effects ~ N(mu, tau^2), ``mu ~ N(mu_mean, mu_sd)``, ``tau ~ half-N(tau_scale)``, all on
    the log hazard ratio.
    """

    min_rows: Annotated[int, Field(ge=1)]
    mu_mean: float
    mu_sd: Annotated[float, Field(gt=0, lt=math.inf)]
    tau_scale: Annotated[float, Field(gt=0, lt=math.inf)]
    reason: Text
    otherwise: NamedPrior


class Calibration(_Strict):
    """How hazard ratios are read from log-rank p values by simulation.

    The first ``censoring`` design gives the result, any further one is shown beside it.
    """

    replicates: Annotated[int, Field(ge=200, le=1_000_000)]
    censoring: Annotated[tuple[Literal["at_end", "throughout"], ...], Field(min_length=1)]


class EffectAnalysis(_Strict):
    """One analysis of published hazard ratios, as its file states it.

    ``thresholds`` are the hazard ratios c of P(HR > c); ``equivalence`` is the range that counts
    as practically no effect.
    """

    kind: Literal["published_effect"]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Text
    grid: Grid
    literature: LiteraturePrior
    priors: tuple[NamedPrior, ...] = ()
    thresholds: tuple[Annotated[float, Field(gt=0)], ...]
    equivalence: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
    calibration: Calibration

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        low, high = self.equivalence
        if not low < 1 < high:
            raise ValueError(f"equivalence {self.equivalence} must hold 1")
        names = [LITERATURE, self.literature.otherwise.name, *(prior.name for prior in self.fixed_priors())]
        if len(set(names)) != len(names):
            raise ValueError(f"prior names must be unique: {names}")
        return self

    def fixed_priors(self, *, expected_worse: bool = True) -> list[NormalPrior]:
        """Every prior of the analysis that needs no literature: the grid, then the named ones.

        Parameters
        ----------
        expected_worse : bool
            Whether the level was expected to do worse than its comparator: the prior of the stated
            effect points that way, with the design ratio or its inverse.
        """
        ratio = self.grid.design_ratio
        oriented = ratio if ratio is None or (ratio > 1) == expected_worse else 1 / ratio
        named = [NormalPrior(p.name, p.mean, p.sd, p.source) for p in self.priors]
        return [*prior_grid(oriented), *named]
