"""Hazard ratios that printed log-rank p values imply, by formula and calibrated by simulation."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ixa_bayes.formulas.log_rank import CalibratedLogRank, Censoring, calibrate_log_rank
from ixa_bayes.formulas.normal import IntervalPosterior, NormalPosterior, NormalPrior, update_normal, z_from_p
from ixa_bayes.inference.effect_rows import (
    EVIDENCE_KIND,
    Row,
    about,
    estimate_cells,
    interval_cells,
    normal_cells,
    prior_cells,
)
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.log_rank import LogRankPrint

FORMULA: Final = "log_rank_formula"
CALIBRATED: Final = "log_rank_calibrated"
EDGE: Final = "_edge"


@dataclass(frozen=True)
class Reading:
    """One reading of a log-rank z: what log hazard ratio it stands for, and how sharply.

    Attributes
    ----------
    source : str
        ``log_rank_formula`` or ``log_rank_calibrated``.
    log_hazard_ratio : float
        At the printed p, or at the edge of a printed inequality.
    information : float
        Inverse variance of the log hazard ratio there.
    """

    source: str
    log_hazard_ratio: float
    information: float

    @property
    def standard_error(self) -> float:
        """Of the log hazard ratio."""
        return 1 / math.sqrt(self.information)


def calibrations(
    prints: Sequence[LogRankPrint], analysis: EffectAnalysis, *, seed: int
) -> list[dict[Censoring, CalibratedLogRank]]:
    """Calibrate each comparison under each censoring design of the analysis.

    Parameters
    ----------
    prints : sequence of LogRankPrint
    analysis : EffectAnalysis
    seed : int
        Each comparison has its own stream, so that leaving one out does not change the others.

    Returns
    -------
    list of dict of censoring design to CalibratedLogRank
        Empty where p is printed as ``>`` a bound: it names no hazard ratio to calibrate at.
    """
    children = np.random.SeedSequence(seed).spawn(len(prints))
    found = []
    for item, child in zip(prints, children, strict=True):
        z = item.direction * z_from_p(item.p.number.value) if item.p.operator in ("=", "<", "<=") else 0.0
        found.append(
            {
                design: calibrate_log_rank(
                    item.n_level,
                    item.n_comparator,
                    events=item.n_events,
                    z=z,
                    censoring=design,
                    replicates=analysis.calibration.replicates,
                    seed=int(child.generate_state(1)[0]),
                )
                for design in analysis.calibration.censoring
            }
            if z
            else {}
        )
    return found


def log_rank_rows(
    item: LogRankPrint,
    calibrated: dict[Censoring, CalibratedLogRank],
    *,
    priors: Sequence[NormalPrior],
    analysis: EffectAnalysis,
) -> Iterator[Row]:
    """Rows of one comparison under every reading and prior."""
    for reading in _readings(item, calibrated, analysis):
        if item.p.operator == "=":
            yield from _exact_rows(item, reading, priors=priors, analysis=analysis, source=reading.source)
        else:
            yield from _inequality_rows(item, reading, priors=priors, analysis=analysis)
            if item.p.operator in ("<", "<="):
                yield from _exact_rows(item, reading, priors=priors, analysis=analysis, source=reading.source + EDGE)


def _readings(
    item: LogRankPrint, calibrated: dict[Censoring, CalibratedLogRank], analysis: EffectAnalysis
) -> Iterator[Reading]:
    total = item.n_level + item.n_comparator
    information = item.n_events * item.n_level * item.n_comparator / total**2
    z = item.direction * z_from_p(item.p.number.value)
    yield Reading(FORMULA, z / math.sqrt(information), information)
    if calibrated:
        used = calibrated[analysis.calibration.censoring[0]]
        yield Reading(CALIBRATED, used.log_hr, used.information)


def _exact_rows(
    item: LogRankPrint, reading: Reading, *, priors: Sequence[NormalPrior], analysis: EffectAnalysis, source: str
) -> Iterator[Row]:
    shared = _shared(item, source) | estimate_cells(reading.log_hazard_ratio, reading.standard_error)
    flat = NormalPosterior(np.asarray(reading.log_hazard_ratio), np.asarray(reading.standard_error))
    yield shared | prior_cells(None) | normal_cells(flat, analysis)
    for prior in priors:
        posterior = update_normal(reading.log_hazard_ratio, reading.standard_error, prior=prior)
        yield shared | prior_cells(prior) | normal_cells(posterior, analysis)


def _inequality_rows(
    item: LogRankPrint, reading: Reading, *, priors: Sequence[NormalPrior], analysis: EffectAnalysis
) -> Iterator[Row]:
    """An inequality has no posterior without a prior: its likelihood does not fall far from 1."""
    shared = _shared(item, reading.source) | estimate_cells(math.nan, reading.standard_error)
    for prior in priors:
        yield shared | prior_cells(prior) | interval_cells(_interval_posterior(item, reading, prior), analysis)


def _interval_posterior(item: LogRankPrint, reading: Reading, prior: NormalPrior) -> IntervalPosterior:
    edge = reading.log_hazard_ratio * math.sqrt(reading.information)
    if item.p.operator in (">", ">="):
        bound = z_from_p(item.p.number.value)
        return IntervalPosterior(-bound, bound, reading.information, prior)
    low, high = (edge, math.inf) if item.direction == 1 else (-math.inf, edge)
    return IntervalPosterior(low, high, reading.information, prior)


def _shared(item: LogRankPrint, source: str) -> Row:
    p = item.p.text if item.p.operator != "=" else f"= {item.p.number.text}"
    medians = f", medians {item.medians[0]} and {item.medians[1]}" if all(item.medians) else ""
    printed = f"log-rank p {p}{medians}"
    return about(item.comparison, source=source, printed=printed, ledger_rows=item.ledger_rows)


def calibration_table(
    prints: Sequence[LogRankPrint], found: Sequence[dict[Censoring, CalibratedLogRank]]
) -> pd.DataFrame:
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
        for item, designs in zip(prints, found, strict=True)
        for design, result in designs.items()
    ]
    return pd.DataFrame(rows, columns=columns)
