"""Figures of the posterior itself: prior beside posterior of each hazard ratio, and whether the chains agree."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MatplotlibFigure
from numpy.typing import NDArray
from scipy.stats import binom, gaussian_kde, rankdata

from ixa_bayes.inference.survival.parameters import judged
from ixa_bayes.inference.survival.prior import prior_draws
from ixa_bayes.models.ratio_priors import COEFFICIENT, LOG_HAZARD_RATIO, log_ratio_prior
from ixa_bayes.report.display import records_of
from ixa_bayes.report.drawing import DrawnFigure, Figure, export
from ixa_bayes.report.effect_figures import WIDTH
from ixa_bayes.report.fit.plots import rank_plot, trace_plot
from ixa_bayes.report.fit.results import FitResults
from ixa_bayes.report.fit.words import FitWords, estimate_text
from ixa_bayes.report.plots import Curve, Limits, density_plot
from ixa_bayes.report.wording import probability_text

FloatArray = NDArray[np.float64]

MOST_CHAINED: Final = 8
"""Parameters whose chains are drawn: those with the largest R-hat."""
SLICES: Final = 20
SHOWN_DRAWS: Final = 250
_POINTS: Final = 160


def posterior_figures(results: FitResults) -> Iterator[DrawnFigure]:
    """Prior and posterior of every hazard ratio, traces and ranks; within the house style."""
    if results.fit.question.design.priors:
        yield _prior_to_posterior(results)
    yield _chains(results)


def _prior_to_posterior(results: FitResults) -> DrawnFigure:
    fit, words = results.fit, FitWords(results.fit.question)
    ratios = fit.posterior["posterior"].to_dataset()[LOG_HAZARD_RATIO]
    limits = _limits(ratios)
    log_ratio = np.linspace(np.log(limits[0]), np.log(limits[1]), _POINTS)
    prior = _prior_density(results, log_ratio)
    rows = records_of(results.estimands[results.estimands["estimand"] == "hazard_ratio"])
    drawing, panels = _density_panels(len(rows))
    numbers = []
    for row, name, axes in zip(rows, ratios[COEFFICIENT].to_numpy().tolist(), panels, strict=True):
        draws = ratios.sel({COEFFICIENT: name}).to_numpy().ravel()
        curves = [
            Curve("prior", "prior", np.exp(log_ratio), prior[name]),
            Curve("neutral", "posterior", np.exp(log_ratio), gaussian_kde(draws)(log_ratio)),
        ]
        label = words.ratio(row["factor"], row["level"])
        density_plot(curves, axes, limits=limits, title=label).set_ylabel("")
        axes.title.set_fontsize(8)
        numbers.append(f"{label} {estimate_text(row)}, P(HR > 1) {probability_text(row['p_gt_1'])}")
    panels[0].legend(loc="upper left", fontsize=7)
    return export(
        Figure(
            "prior_to_posterior",
            title="From prior to posterior: hazard ratios",
            alt=f"Densities of each hazard ratio before and after the data. Posterior: {'; '.join(numbers)}.",
            caption="Dashed: what was believed before. Filled: after these patients, the other factors taken into "
            "account. Where the two hardly differ, the patients say little. The area of a curve right of 1 is the "
            f"probability of a {words.above_1} outcome.",
            evidence_kind=fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="priors",
        ),
        drawing,
    )


def _density_panels(count: int) -> tuple[MatplotlibFigure, list[Axes]]:
    """A figure with panels in two columns, of which the last in each column names its axis."""
    lines, columns = -(-count // 2), min(2, count)
    drawing = MatplotlibFigure(figsize=(WIDTH, 0.55 + 1.3 * lines), layout="constrained")
    panels = drawing.subplots(lines, columns, sharex=True, squeeze=False).ravel().tolist()
    for axes in panels[count:]:
        axes.set_visible(False)
    for axes in panels[max(0, count - 2) : count]:
        axes.set_xlabel("hazard ratio, log scale")
        axes.tick_params(labelbottom=True)
    return drawing, panels[:count]


def _limits(ratios: xr.DataArray) -> Limits:
    """An axis that holds every posterior, and 0.2 to 5 at least."""
    low, high = np.exp(np.quantile(ratios.to_numpy(), [0.001, 0.999], axis=(0, 1)))
    return max(0.01, min(0.2, float(np.min(low)))), min(500.0, max(5.0, float(np.max(high))))


def _prior_density(results: FitResults, log_ratio: FloatArray) -> dict[str, FloatArray]:
    """Prior density of each coefficient at some values of the log hazard ratio.

    Exact for a prior of its own; a joint prior has no density of one coefficient in closed form, so draws tell it.
    """
    question = results.fit.question
    values = xr.DataArray(log_ratio, dims="value").expand_dims({COEFFICIENT: list(question.design.priors)})
    exact = log_ratio_prior(values, question.design.priors)
    density = {str(name): np.exp(exact.sel({COEFFICIENT: name}).to_numpy()) for name in exact[COEFFICIENT].to_numpy()}
    if joint := [name for name in question.design.priors if name not in density]:
        rng = np.random.default_rng(results.provenance.seed)
        draws = prior_draws(question, 4000, rng)[LOG_HAZARD_RATIO]
        density |= {name: gaussian_kde(draws.sel({COEFFICIENT: name}).to_numpy().ravel())(log_ratio) for name in joint}
    return density


def _chains(results: FitResults) -> DrawnFigure:
    fit = results.fit
    chosen, n_all = _least_mixed(results)
    n_chains, n_draws = next(iter(chosen.values())).shape
    every = max(1, n_draws // SHOWN_DRAWS)
    usual = binom(n_draws, 1 / SLICES)
    drawing = MatplotlibFigure(figsize=(WIDTH, 0.35 + 0.75 * len(chosen)))
    panels = drawing.subplots(len(chosen), 2, squeeze=False, width_ratios=(1.7, 1))
    height = drawing.get_size_inches()[1]
    drawing.subplots_adjust(left=0.08, right=0.98, bottom=0.2 / height, top=1 - 0.25 / height, hspace=0.55, wspace=0.08)
    for (name, draws), (left, right) in zip(chosen.items(), panels, strict=True):
        trace_plot(draws[:, ::every], left, title=name)
        left.tick_params(labelsize=6.5)
        rank_plot(rank_counts(draws), right, expected=(float(usual.ppf(0.005)), float(usual.ppf(0.995))))
    panels[0, 1].set_title("ranks", loc="left", fontsize=7.5)
    which = "" if len(chosen) == n_all else f", the {len(chosen)} of {n_all} parameters with the largest R-hat"
    worst = float(fit.convergence.table["rhat"].max())
    return export(
        Figure(
            "chains",
            title=f"Traces and ranks of the {n_chains} chains",
            alt=f"Traces and rank histograms of {', '.join(chosen)}. Largest R-hat {worst:.3f}.",
            caption=f"Left: the draws in their order{f', every {every}th' if every > 1 else ''}, a colour per chain; "
            "chains that lie over each other like noise found the same answer. Right: how many draws of each chain "
            f"lie in each of {SLICES} slices of all draws; grey is where 99 of 100 counts lie if the chains agree"
            f"{which}.",
            evidence_kind=fit.question.cohort.evidence_kind,
            ledger_rows=(),
            section="checks",
        ),
        drawing,
    )


def _least_mixed(results: FitResults) -> tuple[dict[str, FloatArray], int]:
    """Draws of the scalar parameters with the largest R-hat, shape (chain, draw), and how many there are in all."""
    parameters = judged(results.fit.posterior["posterior"].to_dataset())
    scalars: dict[str, FloatArray] = {}
    for variable, values in parameters.data_vars.items():
        ordered = values.transpose("chain", "draw", ...)
        rest = ordered.dims[2:]
        flat = ordered.stack(scalar=rest) if rest else ordered.expand_dims("scalar", axis=-1)
        for index in range(flat.sizes["scalar"]):
            key = flat["scalar"].to_numpy()[index] if rest else ()
            labels = ", ".join(str(part) for part in (key if isinstance(key, tuple) else (key,)))
            scalars[f"{variable}[{labels}]" if labels else str(variable)] = flat.isel(scalar=index).to_numpy()
    rhat = results.fit.convergence.table["rhat"]
    ordered_names = sorted(scalars, key=lambda name: -float(rhat.get(name, 0.0)))
    kept = set(ordered_names[:MOST_CHAINED])
    return {name: draws for name, draws in scalars.items() if name in kept}, len(scalars)


def rank_counts(draws: FloatArray) -> NDArray[np.int64]:
    """Draws of each chain by slice of the ranks of all draws, shape (chain, slice)."""
    ranks = rankdata(draws, method="ordinal").reshape(draws.shape) - 1
    slices = (ranks * SLICES) // draws.size
    return np.stack([np.bincount(chain, minlength=SLICES) for chain in slices.astype(np.int64)])
