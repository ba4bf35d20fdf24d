"""Every route from a printed statistic to a hazard ratio, beside each other: how far the answer hangs on the route."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd
from scipy.special import ndtri

from ixa_bayes.formulas.extraction import (
    TWO_SIDED,
    ExtractedHazardRatio,
    from_confidence_interval,
    from_medians,
    from_p_and_events_per_group,
    from_p_and_group_sizes,
    from_p_and_hazard_ratio,
    from_p_and_total_events,
    information_interval,
    standard_error_interval,
)
from ixa_bayes.formulas.log_rank import CalibratedLogRank, Censoring
from ixa_bayes.formulas.printed import is_not_reached, parse_number, parse_p
from ixa_bayes.inference.effect_rows import Row, about_log_rank, about_ratio
from ixa_bayes.inference.log_rank_effects import EDGE, Simulated, simulate
from ixa_bayes.models.analysis import ModelFile, analysis_from
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.study.effects import Comparison, PrintedRatio, printed_ratios
from ixa_bayes.study.ledger import Study, records, study_from
from ixa_bayes.study.ledger_rows import Row as LedgerRow
from ixa_bayes.study.log_rank import LogRankPrint, log_rank_prints

LOG_RANK: Final = "log_rank"
MEDIANS: Final = "medians"
_BALANCED: Final = 0.99
"""Share of d / 4 that unequal groups must keep to pass for equal ones: sizes up to 1 : 1.2."""
_AT_EDGE: Final = "p is printed as an inequality and read at its bound, the effect nearest to 1 that it allows"
_FOLLOW_UP: Final[dict[Censoring, str]] = {
    "at_end": "follow-up stops at the last counted event",
    "throughout": "patients leave at random times, whatever their group",
}
_Z_95: Final = float(ndtri(0.975))
EXTRACTION_COLUMNS: Final = [
    "endpoint",
    "population",
    "factor",
    "level",
    "comparator",
    "source",
    "printed",
    "route",
    "hr",
    "lower",
    "upper",
    "log_hr",
    "se",
    "se_lowest",
    "se_highest",
    "hr_spread",
    "se_spread",
    "log_hr_mcse",
    "se_mcse",
    "applicable",
    "why_not",
    "assumptions",
    "ledger_rows",
    "evidence_kind",
]


@dataclass(frozen=True)
class _GroupEvents:
    """Events of level and comparator as printed, and the ledger rows that print them."""

    level: int
    comparator: int
    ledger_rows: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """What one route made of a print, or why it made nothing of it.

    ``further`` are assumptions beside the route's own, ``ledger_rows`` rows beside those of the print.
    """

    route: str
    found: ExtractedHazardRatio | None = None
    why_not: str = ""
    standard_errors: tuple[float, float] = (math.nan, math.nan)
    log_hr_mcse: float = 0.0
    se_mcse: float = 0.0
    further: tuple[str, ...] = ()
    ledger_rows: tuple[str, ...] = ()


def extract_hazard_ratios(
    study: Study | Path | str, analysis: EffectAnalysis | ModelFile | Path | str, *, seed: int
) -> pd.DataFrame:
    """Read every printed effect, and every log-rank p value with known events and sizes, by every route.

    Parameters
    ----------
    study : Study, path or str
        A study, its folder or a built-in name; adjudicated values are used.
    analysis : EffectAnalysis, ModelFile, path or str
        An analysis, the file it was read from, its path, or the name of a built-in model. Its calibration
        says how log-rank p values are simulated.
    seed : int
        Of these simulations.

    Returns
    -------
    pd.DataFrame
        As :func:`extraction_table`.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> found = ib.extract_hazard_ratios("zhou2026", "hazard_ratios", seed=1)
    >>> routes = found.query("endpoint == 'os' and factor == 'pi_refractory' and applicable")
    >>> routes.set_index("route")["hr"].round(1).to_dict()
    {'p_and_group_sizes': 2.8, 'calibrated_throughout': 2.6, 'calibrated_at_end': 2.6, 'medians': 2.1}
    """
    study, analysis = study_from(study), analysis_from(analysis, EffectAnalysis)
    ratios, _ = printed_ratios(study)
    prints, _ = log_rank_prints(study)
    simulated = simulate(prints, analysis, seed=seed)
    return extraction_table(study, analysis, ratios=ratios, prints=prints, simulated=simulated)


def extraction_table(
    study: Study,
    analysis: EffectAnalysis,
    *,
    ratios: Sequence[PrintedRatio],
    prints: Sequence[LogRankPrint],
    simulated: Sequence[Simulated],
) -> pd.DataFrame:
    """Every route of every printed effect, one row each, those that do not apply with the reason.

    Parameters
    ----------
    study : Study
    analysis : EffectAnalysis
        Names the censoring designs that were simulated.
    ratios : sequence of PrintedRatio
    prints : sequence of LogRankPrint
    simulated : sequence of Simulated
        Of each log-rank print.

    Returns
    -------
    pd.DataFrame
        Columns of ``extraction.csv``. ``lower`` and ``upper`` are 95% limits, exp(log HR -+ 1.96 se), whatever
        the printed interval; ``se_lowest`` and ``se_highest`` are what the printed digits allow where the
        standard error hangs on them; ``hr_spread`` and ``se_spread`` are the largest hazard ratio, or standard
        error, over the smallest among the routes that apply to one print, the ratio of medians left out.

    References
    ----------
    Parmar, Torri & Stewart (1998), Stat Med 17:2815; Williamson et al. (2002), Stat Med 21:3337; Tierney et al.
    (2007), Trials 8:16.
    """
    printed, designs = records(study.used()), analysis.calibration.censoring
    blocks: dict[Comparison, list[Row]] = {}

    def add(comparison: Comparison, rows: list[Row]) -> None:
        known = comparison.turned if comparison.turned in blocks else comparison
        blocks.setdefault(known, []).extend(rows)

    for ratio in ratios:
        add(ratio.comparison, _rows(about_ratio(ratio), [_by_interval(ratio), _by_ratio_and_p(ratio)]))
    for item, found in zip(prints, simulated, strict=True):
        source = LOG_RANK if item.p.operator == "=" else LOG_RANK + EDGE
        readings = [
            *_readings_of_p(item, found, events := _events_per_group(item, printed), designs=designs),
            _by_medians(item, found, events),
        ]
        add(item.comparison, _rows(about_log_rank(item, source=source), readings))
    rows = [row for block in blocks.values() for row in block]
    return pd.DataFrame(rows, columns=EXTRACTION_COLUMNS).astype({"applicable": bool})


def _by_interval(ratio: PrintedRatio) -> _Reading:
    route = "confidence_interval"
    if ratio.lower is None or ratio.upper is None:
        return _Reading(route, why_not="no interval with two finite limits is printed")
    found = from_confidence_interval(
        ratio.hazard_ratio.value, ratio.lower.value, upper=ratio.upper.value, ci_prob=ratio.ci_prob
    )
    least, most = information_interval(ratio.lower, ratio.upper, ci_prob=ratio.ci_prob)
    errors = (1 / math.sqrt(most), 1 / math.sqrt(least) if least > 0 else math.inf)
    return _Reading(route, found, standard_errors=errors)


def _by_ratio_and_p(ratio: PrintedRatio) -> _Reading:
    route = "p_and_hazard_ratio"
    p = parse_p(ratio.p) if ratio.p else None
    if p is None or p.operator != "=":
        return _Reading(route, why_not="no exact p value is printed with the hazard ratio")
    if not 0 < p.number.value < 1 or ratio.hazard_ratio.exact == 1:
        return _Reading(route, why_not="a p value or a hazard ratio of 1, or a p value of 0, gives no standard error")
    found = from_p_and_hazard_ratio(p.number.value, ratio.hazard_ratio.value)
    return _Reading(route, found, standard_errors=standard_error_interval(ratio.hazard_ratio, p.number))


def _readings_of_p(
    item: LogRankPrint, simulated: Simulated, events: _GroupEvents | None, *, designs: Sequence[Censoring]
) -> list[_Reading]:
    if item.p.operator in (">", ">="):
        why_not = f"p is printed as {item.p.text}, which bounds the effect on both sides and names none"
        names = ["p_and_total_events", "p_and_group_sizes", "p_and_events_per_group", *map(_calibrated_route, designs)]
        return [_Reading(name, why_not=why_not) for name in names]
    readings = [_by_total_events(item), _by_group_sizes(item), _by_events_per_group(item, events)]
    readings += [_by_simulation(design, simulated.calibrated.get(design)) for design in designs]
    if item.p.operator != "=":
        return [replace(reading, further=(_AT_EDGE,)) for reading in readings]
    return readings


def _by_total_events(item: LogRankPrint) -> _Reading:
    route = "p_and_total_events"
    kept = 4 * item.n_level * item.n_comparator / (item.n_level + item.n_comparator) ** 2
    if kept < _BALANCED:
        return _Reading(route, why_not=f"groups of {item.n_level} and {item.n_comparator} are not of equal size")
    return _Reading(route, from_p_and_total_events(item.p.number.value, item.n_events, direction=item.direction))


def _by_group_sizes(item: LogRankPrint) -> _Reading:
    sizes = {"n_1": item.n_level, "n_2": item.n_comparator}
    found = from_p_and_group_sizes(item.p.number.value, item.n_events, direction=item.direction, **sizes)
    return _Reading(found.route, found)


def _by_events_per_group(item: LogRankPrint, events: _GroupEvents | None) -> _Reading:
    route = "p_and_events_per_group"
    if events is None:
        return _Reading(route, why_not="the number of events in each group is not printed")
    if 0 in (events.level, events.comparator):
        return _Reading(route, why_not="a group without events gives no information by this formula")
    found = from_p_and_events_per_group(
        item.p.number.value, events.level, events_2=events.comparator, direction=item.direction
    )
    return _Reading(route, found, ledger_rows=events.ledger_rows)


def _by_simulation(design: Censoring, calibrated: CalibratedLogRank | None) -> _Reading:
    route = _calibrated_route(design)
    if calibrated is None:
        return _Reading(route, why_not="no hazard ratio makes so small a p value likely in simulated cohorts")
    assumptions = (TWO_SIDED, "proportional hazards without ties", _FOLLOW_UP[design])
    found = ExtractedHazardRatio(route, calibrated.log_hr, calibrated.information, assumptions)
    # The standard error is V to the power of -1/2, so its relative error is half that of V.
    se_mcse = found.standard_error * calibrated.information_mcse / calibrated.information / 2
    return _Reading(route, found, log_hr_mcse=calibrated.log_hr_mcse, se_mcse=se_mcse)


def _calibrated_route(design: Censoring) -> str:
    return f"calibrated_{design}"


def _by_medians(item: LogRankPrint, simulated: Simulated, events: _GroupEvents | None) -> _Reading:
    if not all(item.medians):
        return _Reading(MEDIANS, why_not="the medians of both groups are not printed")
    if any(is_not_reached(text) for text in item.medians):
        return _Reading(MEDIANS, why_not="a median is not reached")
    level, comparator = (parse_number(text).value for text in item.medians)
    (events_1, events_2), split = _split_events(item, simulated, events)
    if min(level, comparator, events_1, events_2) <= 0:
        return _Reading(MEDIANS, why_not="a median of 0, or a group without events")
    found = from_medians(level, comparator, events_1=events_1, events_2=events_2)
    return _Reading(MEDIANS, found, further=(split,), ledger_rows=events.ledger_rows if events else ())


def _split_events(
    item: LogRankPrint, simulated: Simulated, events: _GroupEvents | None
) -> tuple[tuple[float, float], str]:
    """Events of each group, and where they come from."""
    if events is not None:
        return (events.level, events.comparator), "events of each group as printed"
    for calibrated in simulated.calibrated.values():
        split = calibrated.events_1, item.n_events - calibrated.events_1
        return split, "events of each group as simulated at the calibrated hazard ratio"
    share = item.n_level / (item.n_level + item.n_comparator)
    return (item.n_events * share, item.n_events * (1 - share)), "events of each group in proportion to its size"


def _events_per_group(item: LogRankPrint, rows: Sequence[LedgerRow]) -> _GroupEvents | None:
    """Printed events of level and comparator; one of them may follow from the other and the total."""
    where = item.comparison
    (level, level_rows), (comparator, comparator_rows) = (
        _events_of(where, level, size=size, rows=rows)
        for level, size in ((where.level, item.n_level), (where.comparator, item.n_comparator))
    )
    if level is None and comparator is not None:
        level = item.n_events - comparator
    if comparator is None and level is not None:
        comparator = item.n_events - level
    if level is None or comparator is None or min(level, comparator) < 0:
        return None
    return _GroupEvents(level, comparator, (*level_rows, *comparator_rows))


def _events_of(
    where: Comparison, level: str, *, size: int, rows: Sequence[LedgerRow]
) -> tuple[int | None, tuple[str, ...]]:
    """Events of one group, printed as such or as those censored; None if not printed, or in two ways."""
    key = (where.endpoint, where.population, where.factor, level)
    printed = [
        row
        for row in rows
        if row["kind"] in ("events", "censored")
        and (row["endpoint"], row["population"], row["factor"], row["level"]) == key
    ]
    counts = {int(row["count"]) if row["kind"] == "events" else size - int(row["count"]) for row in printed}
    return (counts.pop(), tuple(row["id"] for row in printed)) if len(counts) == 1 else (None, ())


def _rows(shared: Row, readings: Sequence[_Reading]) -> list[Row]:
    found = [reading.found for reading in readings if reading.found and reading.route != MEDIANS]
    spreads: Row = {
        "hr_spread": _spread([route.hazard_ratio for route in found]),
        "se_spread": _spread([route.standard_error for route in found]),
    }
    return [shared | spreads | _cells(reading, str(shared["ledger_rows"])) for reading in readings]


def _spread(values: Sequence[float]) -> float:
    """Largest over smallest; not defined for one route alone."""
    return max(values) / min(values) if len(values) > 1 else math.nan


def _cells(reading: _Reading, ledger_rows: str) -> Row:
    known = dict.fromkeys([*ledger_rows.split(";"), *reading.ledger_rows])
    cells: Row = {"route": reading.route, "applicable": reading.found is not None, "why_not": reading.why_not}
    cells |= {"ledger_rows": ";".join(known), "assumptions": ""}
    if reading.found is None:
        return cells
    log_hr, error = reading.found.log_hr, reading.found.standard_error
    return cells | {
        "hr": math.exp(log_hr),
        "lower": math.exp(log_hr - _Z_95 * error),
        "upper": math.exp(log_hr + _Z_95 * error),
        "log_hr": log_hr,
        "se": error,
        "se_lowest": reading.standard_errors[0],
        "se_highest": reading.standard_errors[1],
        "log_hr_mcse": reading.log_hr_mcse,
        "se_mcse": reading.se_mcse,
        "assumptions": "; ".join([*reading.found.assumptions, *reading.further]),
    }
