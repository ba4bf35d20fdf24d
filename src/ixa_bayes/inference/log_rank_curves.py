"""Numbers from a simulated log-rank likelihood, each with its Monte Carlo error."""

import math
from collections.abc import Callable, Sequence
from typing import Final, cast

import numpy as np

from ixa_bayes.formulas.log_rank_likelihood import Bound, LogRankCurve, combine, invert
from ixa_bayes.formulas.normal import NormalPrior
from ixa_bayes.inference.effect_rows import Row, exact_cells, posterior_cells
from ixa_bayes.models.effects import EffectAnalysis

BOOTSTRAPS: Final = 20

Numbers = list[dict[str, float]]


def curve_point_cells(curve: LogRankCurve, *, priors: Sequence[NormalPrior], analysis: EffectAnalysis) -> list[Row]:
    """Cells for a log-rank z that is printed exactly: without a prior first, then under each.

    Without a prior the limits are those of the inverted test, and P(HR > c) is its confidence
    distribution; at 1 it is half the p value that the simulated z has, which for small groups is not
    quite the printed one. Where z cannot tell a large effect from an infinite one, its limit is 0 or
    infinite, a flat prior has no posterior, and under every prior that limit is the prior's
    (``open_limit``).
    """

    def numbers(drawn: LogRankCurve) -> Numbers:
        log_likelihood = drawn.log_density()
        posteriors = [posterior_cells(combine(log_likelihood, prior), analysis) for prior in priors]
        return [posterior_cells(invert(drawn), analysis), *posteriors]

    evidence = invert(curve)
    open_limit = "lower" if evidence.quantile(0.025) == 0 else "upper" if math.isinf(evidence.quantile(0.975)) else ""
    about = exact_cells(analysis) | {"open_limit": open_limit}
    return [about | cells for cells in _with_error(curve, numbers)]


def curve_interval_cells(
    curve: LogRankCurve, bound: Bound, *, priors: Sequence[NormalPrior], analysis: EffectAnalysis
) -> list[Row]:
    """Cells for a p value printed as an inequality, under each prior; see ``effect_rows.interval_cells``."""

    def numbers(drawn: LogRankCurve) -> Numbers:
        log_likelihood = drawn.log_probability(bound)
        return [posterior_cells(combine(log_likelihood, prior), analysis) for prior in priors]

    rows = [exact_cells(analysis) | cells for cells in _with_error(curve, numbers)]
    if bound == "within":
        return rows
    nearest, open_limit = ("hr_q025", "upper") if bound == "above" else ("hr_q975", "lower")
    return [cells | {"driven_by_prior": True, "open_limit": open_limit, "hr_bound": cells[nearest]} for cells in rows]


def _with_error(curve: LogRankCurve, numbers: Callable[[LogRankCurve], Numbers]) -> list[Row]:
    """Numbers with their Monte Carlo standard errors, by resampling the batches of the simulation."""
    found = numbers(curve)
    rng = np.random.default_rng(0)
    batches = rng.integers(curve.n_batches, size=(BOOTSTRAPS, curve.n_batches))
    draws = [numbers(curve.resampled(chosen)) for chosen in batches]
    rows: list[Row] = []
    for index, cells in enumerate(found):
        errors = {f"mcse_{name}": _sd([draw[index][name] for draw in draws]) for name in cells}
        rows.append(cast("Row", cells | errors))
    return rows


def _sd(values: Sequence[float]) -> float:
    """Standard deviation; not defined where a limit is 0 or infinite in some draws and not in others."""
    if len({math.isfinite(value) and value > 0 for value in values}) > 1:
        return math.nan
    return float(np.std(values, ddof=1)) if math.isfinite(values[0]) else 0.0
