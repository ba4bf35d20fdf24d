"""What a survival posterior says about patients: draws of survival, quantiles, means and hazard ratios.

Every function returns one value per draw; contrast draws first, summarise last. Quantities of a
profile are closed forms. Standardised quantities average over the patients of the cohort (g-computation):
the curve is the mean of their curves, so its median is found by a root search and is not the mean of medians.

References
----------
Hernán & Robins (2020), Causal Inference: What If, ch. 13 and 17 (standardisation).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize.elementwise import find_root
from scipy.sparse import csr_array

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.formulas.piecewise import INTERVAL
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.parameters import law_of, linear_predictor
from ixa_bayes.models.missing import PATTERN, log_pattern_probability, pattern_rows
from ixa_bayes.models.profiles import Profile, level_columns, profile_row
from ixa_bayes.models.ratio_priors import CHANGING, COEFFICIENT, LOG_HAZARD_RATIO, OVER_TIME
from ixa_bayes.models.survival_likelihood import Law, normalised
from ixa_bayes.models.survival_rows import ROW
from ixa_bayes.study.hints import did_you_mean

FloatArray = NDArray[np.float64]

TIME = "time"
SAMPLE = "sample"
_NEVER_BEYOND: Final = (1e-30, 1e30)
"""Months; powers of them are still numbers."""


def hazard_ratios(fit: SurvivalFit) -> xr.DataArray:
    """Hazard ratios of all coefficients, dims (chain, draw, coefficient); empty for a model without covariates.

    Of an effect that changes over time the geometric mean of its hazard ratios in the intervals, each counted once
    however long: the mean that the covariate's prior is about.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.hazard_ratios(fitted).quantile([0.025, 0.5, 0.975], ["chain", "draw"])  # doctest: +SKIP
    """
    posterior = fit.posterior["posterior"].to_dataset()
    if LOG_HAZARD_RATIO not in posterior:
        sizes = posterior.sizes["chain"], posterior.sizes["draw"], 0
        return xr.DataArray(np.empty(sizes), dims=("chain", "draw", COEFFICIENT), coords={COEFFICIENT: []})
    return xr.DataArray(xr.ufuncs.exp(posterior[LOG_HAZARD_RATIO])).rename("hazard_ratio")


def hazard_ratios_over_time(fit: SurvivalFit) -> xr.DataArray:
    """Hazard ratios of the coefficients whose effect changes over time, dims (chain, draw, changing, interval).

    The coordinate of an interval is where it starts, in months. Empty for a model of proportional hazards.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.hazard_ratios_over_time(fitted).median(["chain", "draw"])  # doctest: +SKIP
    """
    posterior = fit.posterior["posterior"].to_dataset()
    if OVER_TIME not in posterior:
        sizes = posterior.sizes["chain"], posterior.sizes["draw"], 0, 0
        dims = ("chain", "draw", CHANGING, INTERVAL)
        return xr.DataArray(np.empty(sizes), dims=dims, coords={CHANGING: [], INTERVAL: []})
    return xr.DataArray(xr.ufuncs.exp(posterior[OVER_TIME])).rename("hazard_ratio_over_time")


def hazard_ratio_change(fit: SurvivalFit) -> xr.DataArray:
    """Hazard ratio in the last interval over that in the first, dims (chain, draw, changing): 1 if proportional.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.hazard_ratio_change(fitted).median(["chain", "draw"])  # doctest: +SKIP
    """
    ratios = hazard_ratios_over_time(fit)
    if not ratios.sizes[INTERVAL]:
        return ratios.sum(INTERVAL).rename("hazard_ratio_change")
    first, last = (ratios.isel({INTERVAL: at}, drop=True) for at in (0, -1))
    return (last / first).rename("hazard_ratio_change")


def hazard_ratio_between(fit: SurvivalFit, profile: Profile, other: Profile) -> xr.DataArray:
    """Hazard of one profile over that of another, dims (chain, draw); and interval, if any effect changes over time.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.hazard_ratio_between(fitted, {"age_ge_80": 1}, {"extramedullary_disease": 1}).median()  # doctest: +SKIP
    """
    difference = _profile_eta(fit, profile) - _profile_eta(fit, other)
    draws = fit.posterior["posterior"].to_dataset()
    return xr.DataArray(xr.ufuncs.exp(_per_draw(difference, draws))).rename("hazard_ratio")


def survival(fit: SurvivalFit, months: Sequence[float], *, profile: Profile | None = None) -> xr.DataArray:
    """Probability that a profile has had no event by some times, dims (chain, draw, time).

    Parameters
    ----------
    fit : SurvivalFit
    months : sequence of float
        At least 0. Past the last follow-up this extrapolates.
    profile : mapping, optional
        Values by covariate; the reference profile if not given.

    Raises
    ------
    InputError
        If no patient can have the profile.
    ValueError
        If a time is negative or not finite.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.survival(fitted, [12, 24], profile={"age_ge_80": 1}).mean(["chain", "draw"])  # doctest: +SKIP
    """
    cumulative = cumulative_hazard(fit, months, profile=profile)
    return xr.DataArray(xr.ufuncs.exp(-cumulative)).rename("survival")


def event_probability(fit: SurvivalFit, months: Sequence[float], *, profile: Profile | None = None) -> xr.DataArray:
    """Probability of the event by some times, dims (chain, draw, time); see :func:`survival`.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.event_probability(fitted, [12, 24]).mean(["chain", "draw"])  # doctest: +SKIP
    """
    return (1 - survival(fit, months, profile=profile)).rename("event_probability")


def conditional_survival(
    fit: SurvivalFit, months: Sequence[float], *, given: float, profile: Profile | None = None
) -> xr.DataArray:
    """Probability of no event by some times, given none by ``given`` months, dims (chain, draw, time).

    Raises
    ------
    ValueError
        If a time lies before ``given``.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.conditional_survival(fitted, [24], given=12).mean(["chain", "draw"])  # doctest: +SKIP
    """
    if early := [time for time in months if time < given]:
        raise ValueError(f"months contains {early}, before the {given} months that are given.")
    until = cumulative_hazard(fit, [given], profile=profile).isel({TIME: 0}, drop=True)
    cumulative = cumulative_hazard(fit, months, profile=profile)
    return xr.DataArray(xr.ufuncs.exp(until - cumulative)).rename("conditional_survival")


def cumulative_hazard(fit: SurvivalFit, months: Sequence[float], *, profile: Profile | None = None) -> xr.DataArray:
    """Cumulative hazard of a profile, dims (chain, draw, time); see :func:`survival`.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.cumulative_hazard(fitted, [12, 24]).mean(["chain", "draw"])  # doctest: +SKIP
    """
    found = fit.law.cumulative_hazard(_times(months, from_zero=True), _profile_eta(fit, profile or {}))
    return found.transpose("chain", "draw", TIME).rename("cumulative_hazard")


def hazard(fit: SurvivalFit, months: Sequence[float], *, profile: Profile | None = None) -> xr.DataArray:
    """Hazard per month of a profile at times above 0, dims (chain, draw, time); see :func:`survival`.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.hazard(fitted, [6, 12], profile={"age_ge_80": 1}).mean(["chain", "draw"])  # doctest: +SKIP
    """
    found = fit.law.log_hazard(_times(months, from_zero=False), _profile_eta(fit, profile or {}))
    return xr.DataArray(xr.ufuncs.exp(found)).transpose("chain", "draw", TIME).rename("hazard")


def quantile(fit: SurvivalFit, prob: float = 0.5, *, profile: Profile | None = None) -> xr.DataArray:
    """Months by which a share ``prob`` of patients of a profile has had the event, dims (chain, draw).

    Raises
    ------
    ValueError
        If ``prob`` is not in (0, 1).

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.quantile(fitted, 0.5, profile={"age_ge_80": 1}).median()  # doctest: +SKIP
    """
    draws = fit.posterior["posterior"].to_dataset()
    return _per_draw(fit.law.quantile(_share(prob), _profile_eta(fit, profile or {})), draws).rename("quantile")


def rmst(fit: SurvivalFit, horizon: float, *, profile: Profile | None = None) -> xr.DataArray:
    """Restricted mean survival time of a profile up to ``horizon`` months, dims (chain, draw).

    Raises
    ------
    ValueError
        If the horizon is not above 0.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.rmst(fitted, 24, profile={"age_ge_80": 1}).mean()  # doctest: +SKIP
    """
    _times([horizon], from_zero=False)
    draws = fit.posterior["posterior"].to_dataset()
    return _per_draw(fit.law.rmst(horizon, _profile_eta(fit, profile or {})), draws).rename("rmst")


@dataclass(frozen=True, eq=False)
class Standardised:
    """The cohort's patients, or what they would be with one covariate set, as distinct profiles with their shares.

    Attributes
    ----------
    parameters : xr.Dataset
        Posterior draws, dims (chain, draw, ...).
    eta : xr.DataArray, dims (chain, draw, row) or (chain, draw, row, interval)
        Of each distinct profile.
    share : xr.DataArray, dims (row,) or (chain, draw, row)
        Of the patients; adds up to 1. By draw where covariates are missing.
    fit : SurvivalFit
    """

    parameters: xr.Dataset
    eta: xr.DataArray
    share: xr.DataArray
    fit: SurvivalFit

    def survival(self, months: Sequence[float]) -> xr.DataArray:
        """Mean survival of the patients at some times, dims (chain, draw, time)."""
        law, curves = self._law(self.parameters), []
        for time in _times(months, from_zero=True):  # one by one: all at once would need draws x patients x times
            each = xr.ufuncs.exp(-law.cumulative_hazard(float(time), self.eta))
            curves.append(xr.dot(each, self.share, dim=ROW))
        mean: xr.DataArray = xr.concat(curves, dim=TIME).assign_coords({TIME: list(months)})
        return mean.transpose("chain", "draw", TIME).rename("survival")

    def rmst(self, horizon: float) -> xr.DataArray:
        """Mean restricted mean survival time of the patients, exactly, dims (chain, draw)."""
        _times([horizon], from_zero=False)
        mean: xr.DataArray = xr.dot(self._law(self.parameters).rmst(horizon, self.eta), self.share, dim=ROW)
        return mean.rename("rmst")

    def quantile(self, prob: float = 0.5) -> xr.DataArray:
        """Months by which a share ``prob`` of the patients has had the event, dims (chain, draw).

        The root of the mean survival curve, bracketed by the shortest and the longest of the patients' own quantiles.
        """
        # A heavy-tailed prior has draws whose times are 0 or infinite in floating point; the logarithm needs a number.
        own = self._law(self.parameters).quantile(_share(prob), self.eta).clip(*_NEVER_BEYOND)
        shortest, longest = own.min(ROW), own.max(ROW)
        parameters = _flat(self.parameters)
        rows = _flat(xr.Dataset({"eta": self.eta, "share": self.share}))

        def missing(log_time: FloatArray, which: NDArray[np.int64]) -> FloatArray:
            chosen, time = {SAMPLE: which}, xr.DataArray(np.exp(log_time), dims=SAMPLE)
            some = rows.isel(chosen)
            each = xr.ufuncs.exp(-self._law(parameters.isel(chosen)).cumulative_hazard(time, some["eta"]))
            found: FloatArray = xr.dot(each, some["share"], dim=ROW).to_numpy() - (1 - prob)
            return found

        # A hair wider than the bracket, since at its ends the difference is 0 up to rounding where patients are alike.
        bracket = np.log(shortest.to_numpy().ravel()) - 1e-9, np.log(longest.to_numpy().ravel()) + 1e-9
        root = _root(missing, bracket, args=(np.arange(shortest.size),))
        return shortest.copy(data=np.exp(root).reshape(shortest.shape)).rename("quantile")

    def _law(self, parameters: xr.Dataset) -> Law:
        return law_of(parameters, self.fit.question.analysis)


def standardised(
    fit: SurvivalFit,
    *,
    covariate: str | None = None,
    level: str | float | None = None,
    given_outcome: bool = True,
) -> Standardised:
    """The cohort's patients as they are, or as they would be if all had one level of a covariate.

    In a start-stop table, as they were at entry, and had their covariates stayed so. Of a cohort with very many
    distinct rows some draws stand for all, so that memory stays bounded; Monte Carlo errors of what follows are theirs.

    Parameters
    ----------
    fit : SurvivalFit
    covariate, level : optional
        Both or neither. Setting a covariate to 1 sets those it implies to 1.
    given_outcome : bool
        Whether a missing covariate's values are as likely as the patient's follow-up makes them too, as a posterior
        needs; without it, as likely as the patient's other covariates make them.

    Raises
    ------
    InputError
        If the covariate or the level is not in the model.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> fitted = ib.load_fit("results/example")  # doctest: +SKIP
    >>> ib.standardised(fitted, covariate="age_ge_80", level=1).quantile(0.5).median()  # doctest: +SKIP
    """
    design = fit.question.design
    if covariate is not None and covariate not in design.terms:
        mend = did_you_mean(covariate, list(design.terms)) or f"covariates are {', '.join(design.terms)}"
        raise InputError([Problem("standardise", repr(covariate), "must be a covariate of the model", mend)])
    settings = {} if covariate is None or level is None else level_columns(design, covariate, level)
    parameters = fit.posterior["posterior"].to_dataset()
    if not design.matrix.shape[1]:
        nothing = xr.zeros_like(parameters["chain"] * parameters["draw"], dtype=float)
        return Standardised(parameters, nothing.expand_dims({ROW: 1}, axis=-1), xr.DataArray([1.0], dims=ROW), fit)
    parameters = fit.for_averages
    profiles, share = _profiles(fit, settings, given_outcome=given_outcome)
    eta = xr.DataArray(linear_predictor(parameters, profiles))
    return Standardised(parameters, eta.transpose("chain", "draw", ROW, ...), share, fit)


def _profiles(
    fit: SurvivalFit, settings: Mapping[str, float], *, given_outcome: bool
) -> tuple[pd.DataFrame, xr.DataArray]:
    """Distinct profiles of the patients with some columns set, and the share of each.

    A patient with a missing covariate is spread over its values by how likely they are at each draw; the shares then
    have the dims (chain, draw, row).
    """
    question, counts = fit.question, fit.question.weight_at_entry
    weight = counts / counts.sum()
    patterns = question.patterns
    each = [
        pattern_rows(question.design, patterns, p).assign(**settings)[patterns.allowed[:, p]]
        for p in range(len(patterns.bits))
    ]
    together = pd.concat(each)
    kind, profiles = pd.factorize(pd.MultiIndex.from_frame(together))
    frame = pd.DataFrame(profiles.to_list(), columns=together.columns)
    pattern, row = np.nonzero(patterns.allowed.T)
    each_weight, spread = weight[row], question.incomplete[row]
    share = np.bincount(kind[~spread], weights=each_weight[~spread], minlength=len(frame))
    if not spread.any():
        return frame, xr.DataArray(share, dims=ROW)
    if given_outcome:
        probability = fit.pattern_posterior
    else:
        asked = question.only(question.incomplete)
        probability = normalised(log_pattern_probability(fit.for_averages, asked.patterns))
    probability = probability.transpose("chain", "draw", ROW, PATTERN)
    # Sparse: one entry for each row, where patients by profiles would be as many as their square.
    member = csr_array((each_weight[spread], (kind[spread], np.arange(spread.sum()))), shape=(len(frame), spread.sum()))
    place = np.cumsum(question.incomplete) - 1
    chosen = probability.to_numpy()[:, :, place[row[spread]], pattern[spread]]
    by_draw = (member @ chosen.reshape(-1, chosen.shape[-1]).T).T.reshape(*chosen.shape[:2], len(frame))
    coords = {"chain": probability["chain"], "draw": probability["draw"]}
    return frame, xr.DataArray(share + by_draw, dims=("chain", "draw", ROW), coords=coords)


def _flat(draws: xr.Dataset) -> xr.Dataset:
    """Draws of all chains in one unlabelled dim ``sample``, chain by chain."""
    stacked = draws.stack({SAMPLE: ("chain", "draw")})  # noqa: PD013  # xarray, not pandas
    return stacked.drop_vars([SAMPLE, "chain", "draw"])


def _root(
    function: Callable[..., FloatArray], bracket: tuple[FloatArray, FloatArray], *, args: tuple[object, ...]
) -> FloatArray:
    """Root of a falling function within each bracket, to ten digits of a log time; the nearer end if outside."""
    found = find_root(function, bracket, args=args, tolerances={"xatol": 1e-10, "xrtol": 0, "fatol": 0, "frtol": 0})
    if not np.all(found.success):
        end = np.where(found.f_bracket[0] < 0, bracket[0], bracket[1])
        return np.where(found.success, found.x, end)
    return np.asarray(found.x, dtype=float)


def _profile_eta(fit: SurvivalFit, profile: Profile) -> xr.DataArray | float:
    eta = fit.eta(profile_row(fit.question.design, profile))
    return eta.isel({ROW: 0}, drop=True) if isinstance(eta, xr.DataArray) else eta


def _per_draw(values: xr.DataArray | float, draws: xr.Dataset) -> xr.DataArray:
    return (
        values
        if isinstance(values, xr.DataArray)
        else xr.full_like(draws["chain"] * draws["draw"], values, dtype=float)
    )


def _times(months: Sequence[float], *, from_zero: bool) -> xr.DataArray:
    wrong = [time for time in months if not (0 <= time < np.inf and (from_zero or time > 0))]
    if wrong or not len(months):
        rule = "at least 0" if from_zero else "above 0"
        raise ValueError(f"months contains {wrong or 'nothing'}; times are finite and {rule}.")
    values = [float(time) for time in months]
    return xr.DataArray(values, dims=TIME, coords={TIME: values})


def _share(prob: float) -> float:
    if not 0 < prob < 1:
        raise ValueError(f"prob is {prob!r}; must lie in (0, 1).")
    return prob
