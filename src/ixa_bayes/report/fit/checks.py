"""Numbers that tell whether a fitted model could have made its patients: replicated curves, and calibration (PIT)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xarray as xr
from scipy.stats import binom

from ixa_bayes.cohort.follow_up import is_start_stop
from ixa_bayes.crosscheck.kaplan_meier import survival_at
from ixa_bayes.inference.calibration import band_limit
from ixa_bayes.inference.survival.fitting import LOG_LIKELIHOOD, SurvivalFit
from ixa_bayes.inference.survival.parameters import pointwise_log_likelihood
from ixa_bayes.inference.survival.simulation import replicate
from ixa_bayes.models.survival_rows import ROW
from ixa_bayes.report.fit.curves import Band, FloatArray

REPLICATES_PER_CHAIN: Final = 25
LARGEST: Final = 5000
"""Patients above which these checks are left out: they would take minutes and show less than the curves do."""
CELLS: Final = 40
BAND_PROB: Final = 0.95


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """Kaplan-Meier curves of cohorts that the model makes, with the cohort's own entries, visits and censoring.

    Attributes
    ----------
    band : Band
        Of the replicated curves, as far as any of them goes.
    above : dict of float to float
        By time, the share of replicated curves that lie above the observed one.
    n : int
        Replicated cohorts.
    """

    band: Band
    above: dict[float, float]
    n: int


@dataclass(frozen=True, eq=False)
class CalibrationCheck:
    """Distribution of the probability integral transform of all patients, each predicted from the others.

    Attributes
    ----------
    at : ndarray, shape (point,)
        Probabilities between 0 and 1.
    share : ndarray, shape (point,)
        Share of the patients whose event came by the time at which the model put that probability.
    lower, upper : ndarray, shape (point,)
        Where all points lie together with probability 0.95, if the model is right.
    """

    at: FloatArray
    share: FloatArray
    lower: FloatArray
    upper: FloatArray

    @property
    def inside(self) -> bool:
        """Whether every point lies within."""
        return bool(np.all((self.share >= self.lower) & (self.share <= self.upper)))


def can_be_checked(fit: SurvivalFit) -> bool:
    """Whether the checks are possible: one row per patient, several and not too many, log-likelihood kept."""
    question = fit.question
    several = is_start_stop(question.cohort.follow_up[question.analysis.endpoint])
    size_fits = question.unit_weight.size >= 2 and question.rows.n <= LARGEST
    return size_fits and not several and "log_likelihood" in fit.posterior.children


def predictive_check(fit: SurvivalFit, *, grid: FloatArray, at: tuple[float, ...], seed: int) -> PredictiveCheck:
    """Replicate the cohort from the posterior and draw the Kaplan-Meier curve of each replicate.

    Parameters
    ----------
    fit : SurvivalFit
        One that can be checked.
    grid : ndarray
        Months.
    at : tuple of float
        Months at which observed and replicated curves are compared.
    seed : int

    References
    ----------
    Gelman, Meng & Stern (1996), Statistica Sinica 6:733.
    """
    times = np.unique(np.concatenate([grid, at])).tolist()
    made = replicate(fit, np.random.default_rng(seed), draws=REPLICATES_PER_CHAIN)
    curves = np.stack([_curve(one, times) for one in _one_by_one(made)])
    rows = fit.question.rows
    seen = survival_at(rows.upper, rows.event | rows.between, at=at, entry=rows.entry, weight=rows.weight)
    where = np.searchsorted(times, at)
    # A replicate whose follow-up ends before a time says nothing about it, and neither does the cohort's own.
    above = {
        time: _share_above(curves[:, k], value) for time, k, value in zip(at, where, seen["survival"], strict=True)
    }
    told = np.isfinite(curves).any(axis=0)
    low, middle, high = np.nanquantile(curves[:, told], [0.025, 0.5, 0.975], axis=0)
    band = Band(np.asarray(times)[told], median=middle, lower=low, upper=high)
    return PredictiveCheck(band, above, len(curves))


def _share_above(replicated: FloatArray, observed: float) -> float:
    """Share of the replicates with an answer that exceed what was observed; NaN where either side has none."""
    known = replicated[np.isfinite(replicated)]
    return float(np.mean(known > observed)) if known.size and np.isfinite(observed) else np.nan


def _one_by_one(made: xr.Dataset) -> Iterator[xr.Dataset]:
    for chain in range(made.sizes["chain"]):
        for draw in range(made.sizes["draw"]):
            yield made.isel(chain=chain, draw=draw)


def _curve(one: xr.Dataset, times: list[float]) -> FloatArray:
    table = survival_at(one["time"].to_numpy(), one["event"].to_numpy(), at=times, entry=one["entry"].to_numpy())
    return table["survival"].to_numpy(float)


def calibration_check(fit: SurvivalFit) -> CalibrationCheck:
    """Leave-one-out probability integral transforms, censored patients spread over what they leave open.

    A patient with an event at t has the value F(t), the probability that the others and the model put on an event by
    t. One whose event is only known to lie beyond t (or between two visits) is spread evenly over what remains, so that
    the mean distribution is uniform if the model is right. Nothing is drawn at random, so the curve
    varies a little less than its band allows.

    Parameters
    ----------
    fit : SurvivalFit
        One that can be checked.

    References
    ----------
    Czado, Gneiting & Held (2009), Biometrics 65:1254; Vehtari, Gelman & Gabry (2017), Statistics and Computing 27:1413,
    for leaving one out; Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32:32, for the band.
    """
    rows = fit.question.rows
    log_likelihood = fit.posterior["log_likelihood"].to_dataset()[LOG_LIKELIHOOD]
    weights, _ = log_likelihood.azstats.psislw(dim=["chain", "draw"])  # of leaving the row out: it takes 1/L itself
    share_of_draw = np.exp(weights.transpose("chain", "draw", ROW).to_numpy())
    start = _predicted(fit, rows.end, share_of_draw)
    stop = np.where(rows.event, start, 1.0)
    if rows.between.any():
        stop = np.where(rows.between, _predicted(fit, rows.upper, share_of_draw), stop)
    at = np.arange(1, CELLS) / CELLS
    share = np.array([rows.weight @ _reached(point, start, stop) for point in at]) / rows.n
    tail = band_limit(rows.n, CELLS, BAND_PROB)
    lower, upper = (
        np.asarray(bound) / rows.n for bound in (binom.ppf(tail / 2, rows.n, at), binom.isf(tail / 2, rows.n, at))
    )
    return CalibrationCheck(at, share, lower=lower, upper=upper)


def _predicted(fit: SurvivalFit, time: FloatArray, share_of_draw: FloatArray) -> FloatArray:
    """Probability of an event by each patient's time given that there was none at entry, over the weighted draws."""
    question, nobody = fit.question, np.zeros(time.size, dtype=bool)
    censored = replace(question.rows, end=time, upper=time, event=nobody, between=nobody)
    parameters = fit.posterior["posterior"].to_dataset()
    log_survival = pointwise_log_likelihood(parameters, replace(question, rows=censored))
    without = -np.expm1(log_survival.transpose("chain", "draw", ROW).to_numpy())
    found: FloatArray = np.einsum("cdr,cdr->r", without, share_of_draw)
    return found


def _reached(point: float, start: FloatArray, stop: FloatArray) -> FloatArray:
    """How much of each patient's spread lies at or below a point."""
    width = np.where(stop > start, stop - start, 1.0)
    return np.where(stop > start, np.clip((point - start) / width, 0.0, 1.0), (start <= point).astype(float))
