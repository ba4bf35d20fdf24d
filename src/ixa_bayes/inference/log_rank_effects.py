"""Hazard ratios that printed log-rank p values imply, by formula and calibrated by simulation."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.formulas.log_rank import CalibratedLogRank, Censoring, OutOfReachError, calibrate_log_rank
from ixa_bayes.formulas.log_rank_likelihood import Bound, LogRankCurve, simulate_curve
from ixa_bayes.formulas.normal import (
    IntervalPosterior,
    NormalPosterior,
    NormalPrior,
    update_from_p_above,
    update_from_p_below,
    update_normal,
    z_from_p,
)
from ixa_bayes.inference.effect_rows import (
    EVIDENCE_KIND,
    Row,
    about_log_rank,
    conflict_cells,
    estimate_cells,
    interval_cells,
    normal_cells,
    prior_cells,
)
from ixa_bayes.inference.log_rank_curves import curve_interval_cells, curve_point_cells
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.log_rank import LogRankPrint

FORMULA: Final = "log_rank_formula"
CALIBRATED: Final = "log_rank_calibrated"
EDGE: Final = "_edge"
_CURVE_FACTOR: Final = 5
"""Cohorts of a curve, which speak of all hazard ratios, for each cohort of the calibration, which speaks of one."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """What was simulated for one comparison.

    Attributes
    ----------
    calibrated : dict of censoring design to CalibratedLogRank
        Empty where p is printed as ``>`` a bound, which names no hazard ratio to calibrate at, and without
        the designs under which none gives so small a p.
    curve : LogRankCurve
        Of the printed z, or of its bound, under the first censoring design of the analysis.
    """

    calibrated: dict[Censoring, CalibratedLogRank]
    curve: LogRankCurve


def simulate(prints: Sequence[LogRankPrint], analysis: EffectAnalysis, *, seed: int) -> list[Simulated]:
    """Simulate log-rank z for every comparison, under each censoring design of the analysis.

    Parameters
    ----------
    prints : sequence of LogRankPrint
    analysis : EffectAnalysis
    seed : int
        Each comparison has its own stream, so that leaving out a later one does not change it.
    """
    seeds = [int(child.generate_state(1)[0]) for child in np.random.SeedSequence(seed).spawn(len(prints))]
    with ThreadPoolExecutor() as pool:  # sorting and summing large arrays leave Python's lock free
        return list(pool.map(lambda item, own: _simulate_one(item, analysis, seed=own), prints, seeds))


def _simulate_one(item: LogRankPrint, analysis: EffectAnalysis, *, seed: int) -> Simulated:
    replicates, designs = analysis.calibration.replicates, analysis.calibration.censoring
    calibrated = {}
    for design in designs if item.p.operator in ("=", "<", "<=") else ():
        with suppress(OutOfReachError):  # its rows then say that no hazard ratio fits
            calibrated[design] = calibrate_log_rank(
                item.n_level,
                item.n_comparator,
                events=item.n_events,
                z=_signed_z(item),
                censoring=design,
                replicates=replicates,
                seed=seed,
            )
    curve = simulate_curve(
        item.n_level,
        item.n_comparator,
        events=item.n_events,
        z=_signed_z(item),
        censoring=designs[0],
        replicates=_CURVE_FACTOR * replicates,
        seed=seed,
    )
    return Simulated(calibrated, curve)


def log_rank_rows(
    item: LogRankPrint, simulated: Simulated, *, priors: Sequence[NormalPrior], analysis: EffectAnalysis
) -> Iterator[Row]:
    """Rows of one comparison under every reading and prior: by the formula, then by simulation."""
    yield from _formula_rows(item, priors=priors, analysis=analysis)
    estimates = {
        design: estimate_cells(found.log_hr, found.standard_error) for design, found in simulated.calibrated.items()
    }
    estimate = estimates.get(analysis.calibration.censoring[0], estimate_cells(math.nan, math.nan))
    if item.p.operator != "=":
        cells = curve_interval_cells(simulated.curve, _bound(item), priors=priors, analysis=analysis)
        for prior, numbers in zip(priors, cells, strict=True):
            shared = about_log_rank(item, source=CALIBRATED) | estimate_cells(math.nan, math.nan)
            yield shared | prior_cells(prior) | numbers
    if item.p.operator in ("=", "<", "<="):
        source = CALIBRATED if item.p.operator == "=" else CALIBRATED + EDGE
        cells = curve_point_cells(simulated.curve, priors=priors, analysis=analysis)
        for stated, numbers in zip((None, *priors), cells, strict=True):
            yield about_log_rank(item, source=source) | estimate | prior_cells(stated) | numbers


def _signed_z(item: LogRankPrint) -> float:
    """The printed z, or the edge of what is printed; positive where the print names no direction."""
    return (item.direction or 1) * z_from_p(item.p.number.value)


def _bound(item: LogRankPrint) -> Bound:
    """What a p value printed as an inequality says of z."""
    if item.p.operator in (">", ">="):
        return "within"
    return "above" if item.direction == 1 else "below"


def _interval_posterior(item: LogRankPrint, information: float, prior: NormalPrior) -> IntervalPosterior:
    """Posterior from a p value printed as an inequality, by the formula's information."""
    edge = item.p.number.value
    if _bound(item) == "within":
        return update_from_p_above(edge, information=information, prior=prior)
    return update_from_p_below(edge, direction=item.direction, information=information, prior=prior)


def _formula_rows(item: LogRankPrint, *, priors: Sequence[NormalPrior], analysis: EffectAnalysis) -> Iterator[Row]:
    total = item.n_level + item.n_comparator
    information = item.n_events * item.n_level * item.n_comparator / total**2
    log_hazard_ratio, standard_error = _signed_z(item) / math.sqrt(information), 1 / math.sqrt(information)
    if item.p.operator != "=":
        for prior in priors:
            posterior = _interval_posterior(item, information, prior)
            shared = about_log_rank(item, source=FORMULA) | estimate_cells(math.nan, standard_error)
            yield shared | prior_cells(prior) | interval_cells(posterior, analysis)
    if item.p.operator in ("=", "<", "<="):
        shared = about_log_rank(item, source=FORMULA if item.p.operator == "=" else FORMULA + EDGE)
        shared |= estimate_cells(log_hazard_ratio, standard_error)
        flat = NormalPosterior(np.asarray(log_hazard_ratio), np.asarray(standard_error))
        yield shared | prior_cells(None) | normal_cells(flat, analysis)
        for prior in priors:
            updated = update_normal(log_hazard_ratio, standard_error, prior=prior)
            conflict = conflict_cells(log_hazard_ratio, standard_error, prior)
            yield shared | prior_cells(prior) | normal_cells(updated, analysis) | conflict


def calibration_table(prints: Sequence[LogRankPrint], simulated: Sequence[Simulated]) -> pd.DataFrame:
    """The formula beside the simulation, one row per comparison and censoring design.

    Returns
    -------
    pd.DataFrame
        Columns of ``calibration.csv``; hazard ratios are those at the printed p, or at its edge.
    """
    columns = ["endpoint", "population", "factor", "level", "comparator", "printed_p", "n_level", "n_comparator"]
    columns += ["n_events", "formula_hr", "formula_information", "censoring", "calibrated_hr", "calibrated_information"]
    columns += ["log_hr_mcse", "information_mcse", "replicates", "ledger_rows", "evidence_kind"]
    rows = [
        {
            **vars(item.comparison),
            "printed_p": item.p.text,
            "n_level": item.n_level,
            "n_comparator": item.n_comparator,
            "n_events": item.n_events,
            "formula_hr": math.exp(result.formula_log_hr),
            "formula_information": result.formula_information,
            "censoring": design,
            "calibrated_hr": math.exp(result.log_hr),
            "calibrated_information": result.information,
            "log_hr_mcse": result.log_hr_mcse,
            "information_mcse": result.information_mcse,
            "replicates": result.replicates,
            "ledger_rows": ";".join(item.ledger_rows),
            "evidence_kind": EVIDENCE_KIND,
        }
        for item, found in zip(prints, simulated, strict=True)
        for design, result in found.calibrated.items()
    ]
    return pd.DataFrame(rows, columns=columns)
