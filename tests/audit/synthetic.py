"""Papers about simulated patients, consistent by construction.

Whole cohorts are simulated and every statistic is computed from the same patients and printed as a
paper would, so that no two prints can contradict each other. Knows nothing of the audit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from ixa_bayes.study.definition import StudyDefinition
from ixa_bayes.study.ledger import Study
from ixa_bayes.study.ledger_rows import COLUMNS

from .statistics_of_patients import Bools, Curve, Floats, cox, fisher_p, log_rank_p, printed, printed_p, wald_p
from .themes import THEMES

Row = dict[str, str]
Ints = NDArray[np.int64]
DAYS = {"weeks": 7.0, "months": 30.4375, "years": 365.25}
UNTESTED = -1


@dataclass
class Cohort:
    """Simulated patients; codes of levels by factor, -1 where a patient was not tested."""

    factors: dict[str, Ints]
    binary: dict[str, Bools]
    evaluable: Bools
    category: Ints
    times: dict[str, Floats]
    events: dict[str, Bools]
    continuous: dict[str, Floats]

    @property
    def n(self) -> int:
        return len(self.evaluable)


@dataclass
class Style:
    """How one paper prints."""

    decimals: int
    rounding: str
    p: str
    counts: float
    """Share of percentages that are printed with their count."""


@dataclass
class Paper:
    """A synthetic paper: its definition and rows, and the patients behind them."""

    definition: dict[str, Any]
    rows: list[Row]
    cohort: Cohort
    style: Style
    theme: dict[str, Any]
    rng: np.random.Generator
    seed: int
    ids: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """Factors: two levels, three, four, outer, inner (nested in outer), incompletely tested."""
        return list(self.theme["factors"])

    def levels(self, factor: str) -> list[str]:
        return [f"l{i}" for i in range(len(self.theme["factors"][factor][1]))]

    def add(self, **cells: str) -> Row:
        base = "_".join(filter(None, (cells.get(k, "") for k in ("kind", "endpoint", "factor", "level"))))
        name, extra = base, 2
        while name in self.ids:
            name, extra = f"{base}_{extra}", extra + 1
        self.ids.add(name)
        row = dict.fromkeys(COLUMNS, "") | {"id": name, "location": "results", "population": "all"} | cells
        self.rows.append(row)
        return row

    def find(self, **cells: str) -> list[Row]:
        return [row for row in self.rows if all(row[key] == value for key, value in cells.items())]

    def study(self) -> Study:
        table = pd.DataFrame([row | {"line": str(i + 2)} for i, row in enumerate(self.rows)], dtype=str)
        return Study(
            definition=StudyDefinition.model_validate(self.definition),
            statistics=table.set_index("id", drop=False),
            folder=Path("synthetic"),
            input_hash=str(self.seed),
        )

    def percent(self, count: int, n: int) -> str:
        return printed(Fraction(100 * count, n), self.style.decimals, self.style.rounding)

    def time(self, days: float, endpoint: str) -> str:
        unit = self.definition["endpoints"][endpoint]["unit"]
        return printed(days / DAYS[unit] if math.isfinite(days) else days, 1)


def simulate(rng: np.random.Generator, theme: dict[str, Any], *, n: int, whole_units: bool = False) -> Cohort:
    """Patients with correlated outcomes; ``whole_units`` records the first survival time in whole units."""
    two, three, four, outer, inner, marker = theme["factors"]
    outer_share = rng.uniform(0.25, 0.5)
    in_outer = rng.random(n) < outer_share
    in_inner = in_outer & (rng.random(n) < rng.uniform(0.35, 0.6))
    factors = {
        two: rng.integers(0, 2, n),
        three: rng.choice(3, n, p=rng.dirichlet([8, 8, 8])),
        four: rng.choice(4, n, p=rng.dirichlet([8, 8, 8, 8])),
        outer: np.where(in_outer, 0, 1),
        inner: np.where(in_inner, 0, 1),
        marker: np.where(rng.random(n) < rng.uniform(0.7, 0.95), rng.integers(0, 2, n), UNTESTED),
    }
    risk = sum(rng.normal(0, 0.35) * (codes == 0) for codes in factors.values())
    evaluable = rng.random(n) < rng.uniform(0.92, 1.0)
    first, second = (name for name, _ in theme["binary"])
    binary = {
        first: evaluable & (rng.random(n) < 1 / (1 + np.exp(rng.normal(0, 0.5) + risk))),
        second: rng.random(n) < rng.uniform(0.05, 0.4),
    }
    category = np.where(binary[first], rng.choice(3, n, p=[0.2, 0.3, 0.5]), UNTESTED)
    times, events = {}, {}
    for position, (name, _) in enumerate(theme["times"]):
        shape, scale = rng.uniform(0.8, 1.3), rng.uniform(200, 900) * (1 + position)
        time = scale * (rng.exponential(size=n) / np.exp(risk)) ** (1 / shape)
        censored = rng.uniform(100, rng.uniform(1500, 3000), n)
        follow_up = np.maximum(np.round(np.minimum(time, censored)), 1.0)
        if whole_units and position == 0:
            unit = DAYS[theme["unit"]]
            follow_up = np.maximum(np.floor(follow_up / unit), 1.0) * unit
        times[name], events[name] = follow_up, time <= censored
    continuous = {
        "age": np.round(rng.normal(62, rng.uniform(8, 13), n)),
        "lab": np.round(np.exp(rng.normal(rng.uniform(3, 5), rng.uniform(0.6, 0.9), n)), 1),
        "duration": np.round(rng.gamma(rng.uniform(0.9, 1.6), 3.0, n) + 0.05, 1),
    }
    return Cohort(factors, binary, evaluable, category, times, events, continuous)


def synthetic_paper(seed: int, *, whole_units: bool = False, smallest: int = 60) -> Paper:
    """A consistent paper about simulated patients, in a style that varies with the seed."""
    rng = np.random.default_rng(seed)
    theme = THEMES[int(rng.integers(len(THEMES)))]
    if whole_units:
        theme = theme | {"unit": "months"}
    cohort = simulate(rng, theme, n=int(rng.integers(smallest, 400)), whole_units=whole_units)
    style = Style(
        decimals=int(rng.integers(0, 2)),
        rounding=str(rng.choice(["half_up", "half_even", "truncation"], p=[0.5, 0.35, 0.15])),
        p=str(rng.choice(["three", "significant", "NS", "above"])),
        counts=float(rng.uniform(0.2, 0.8)),
    )
    paper = Paper(_definition(theme), [], cohort, style, theme, rng, seed)
    _print_sizes(paper)
    _print_binary(paper)
    _print_subpopulation(paper)
    for endpoint, _ in theme["times"]:
        _print_times(paper, endpoint)
        _print_cox(paper, endpoint)
    _print_continuous(paper)
    _print_abstract(paper)
    return paper


def _definition(theme: dict[str, Any]) -> dict[str, Any]:
    _, three, _, outer, inner, marker = theme["factors"]
    first, second = theme["binary"]
    parts = ("complete", "partial", "minor")
    factors = {
        name: {
            "label": label,
            "levels": {f"l{i}": words for i, words in enumerate(levels)},
            "complete": name != marker,
        }
        for name, (label, levels) in theme["factors"].items()
    }
    endpoints: dict[str, Any] = {
        "assessed": {"label": "Assessed", "kind": "binary"},
        first[0]: {
            "label": first[1],
            "kind": "binary",
            "better": "higher",
            "evaluable": "assessed",
            "components": list(parts),
        },
        second[0]: {"label": second[1], "kind": "binary", "better": "lower"},
    }
    for part in parts:
        endpoints[part] = {"label": f"{first[1]}, {part}", "kind": "binary", "evaluable": "assessed"}
    for name, label in theme["times"]:
        endpoints[name] = {"label": label, "kind": "time_to_event", "better": "higher", "unit": theme["unit"]}
    for name in ("age", "lab", "duration"):
        endpoints[name] = {"label": name.capitalize(), "kind": "continuous", "unit": "units"}
    return {
        "name": "synthetic",
        "title": "A synthetic study",
        "citation": "Nobody (2026)",
        "disease": theme["disease"],
        "design": "retrospective cohort",
        "time_unit": theme["unit"],
        "main_population": "all",
        "populations": {
            "all": {"label": "All patients"},
            "part": {
                "label": f"{factors[three]['levels']['l0']} only",
                "parent": "all",
                "factor": three,
                "level": "l0",
            },
        },
        "factors": factors,
        "endpoints": endpoints,
        "nesting": [{"inner": {"factor": inner, "level": "l0"}, "outer": {"factor": outer, "level": "l0"}}],
    }


def _rate(paper: Paper, count: int, n: int, *, with_count: bool | None = None, **cells: str) -> Row:
    """A percentage, with its count (and sometimes its denominator) or without."""
    shown = paper.rng.random() < paper.style.counts if with_count is None else with_count
    more: Row = {"value": paper.percent(count, n), "count": str(count) if shown else ""}
    if shown and paper.rng.random() < 0.3:
        more["denominator"] = str(n)
    return paper.add(kind="percent", **cells, **more)


def _print_sizes(paper: Paper) -> None:
    n = paper.cohort.n
    paper.add(kind="count", endpoint="patients", count=str(n))
    paper.add(kind="count", endpoint="assessed", count=str(int(paper.cohort.evaluable.sum())))
    for factor in paper.names:
        codes = paper.cohort.factors[factor]
        tested = codes != UNTESTED
        # Of an incompletely tested factor the denominator must be printed, or the rows be counts.
        shown = range(len(paper.levels(factor))) if paper.rng.random() < 0.7 else [0]
        for code in shown:
            count, about = int((codes == code).sum()), {"factor": factor, "level": f"l{code}", "endpoint": "patients"}
            if not tested.all():
                paper.add(kind="percent", count=str(count), value=paper.percent(count, int(tested.sum())), **about)
            elif len(paper.levels(factor)) == 2 and paper.rng.random() < 0.3:
                paper.add(kind="count", count=str(count), **about)
            else:
                _rate(paper, count, n, with_count=len(paper.levels(factor)) == 2 or None, **about)


def _print_binary(paper: Paper) -> None:
    (first, _), (second, _) = paper.theme["binary"]
    assessed = paper.cohort.evaluable
    _rate(paper, int(paper.cohort.binary[first].sum()), int(assessed.sum()), endpoint=first)
    _rate(paper, int(paper.cohort.binary[second].sum()), paper.cohort.n, endpoint=second)
    for code, part in enumerate(("complete", "partial", "minor")):
        _rate(paper, int((paper.cohort.category == code).sum()), int(assessed.sum()), endpoint=part)
    for endpoint, among in ((first, assessed), (second, np.ones(paper.cohort.n, dtype=bool))):
        for factor in paper.names:
            if paper.rng.random() < 0.75:
                _print_table(paper, endpoint, factor, among)


def _print_table(paper: Paper, endpoint: str, factor: str, among: Bools, population: str = "all") -> None:
    codes, hit = paper.cohort.factors[factor], paper.cohort.binary[endpoint]
    cells = [
        (int((hit & among & (codes == code)).sum()), int((among & (codes == code)).sum()))
        for code in range(len(paper.levels(factor)))
    ]
    if min(n for _, n in cells) < 2:
        return
    with_count = paper.rng.random() < paper.style.counts
    about = {"population": population, "factor": factor, "endpoint": endpoint}
    for code, (count, n) in enumerate(cells):
        _rate(paper, count, n, with_count=with_count, level=f"l{code}", **about)
    if len(cells) == 4:
        cells, pair = cells[:2], {"level": "l0", "comparator": "l1"}
    else:
        pair = {"level": "l0", "comparator": "l1"} if len(cells) == 2 else {}
    p = fisher_p([r for r, _ in cells], [n for _, n in cells])
    claim = ""
    if pair:
        higher = Fraction(*cells[0]) > Fraction(*cells[1])
        claim = ("higher" if higher else "lower") if p < 0.05 else "no_difference"
    paper.add(kind="p_value", p=printed_p(p, paper.style.p), claim=_safe_claim(p, claim), **pair, **about)


def _safe_claim(p: float, claim: str) -> str:
    """Papers whose p prints as 0.05 may say either; leave the claim out there."""
    return "" if 0.045 < p < 0.055 else claim


def _print_subpopulation(paper: Paper) -> None:
    (first, _), _ = paper.theme["binary"]
    two, three = paper.names[:2]
    within = paper.cohort.factors[three] == 0
    assessed = within & paper.cohort.evaluable
    if assessed.sum() < 10:
        return
    paper.add(kind="count", population="part", endpoint="patients", count=str(int(within.sum())))
    paper.add(kind="count", population="part", endpoint="assessed", count=str(int(assessed.sum())))
    _rate(
        paper, int((paper.cohort.binary[first] & within).sum()), int(assessed.sum()), population="part", endpoint=first
    )
    _print_table(paper, first, two, assessed, population="part")


def _print_times(paper: Paper, endpoint: str) -> None:
    time, event = paper.cohort.times[endpoint], paper.cohort.events[endpoint]
    curve = Curve.fit(time, event)
    low, high = curve.median_interval()
    paper.add(
        kind="median",
        endpoint=endpoint,
        value=paper.time(curve.median(), endpoint),
        lower=paper.time(low, endpoint),
        upper=paper.time(high, endpoint),
        interval="ci95",
    )
    kind = "events" if paper.rng.random() < 0.6 else "censored"
    paper.add(kind=kind, endpoint=endpoint, count=str(int((event if kind == "events" else ~event).sum())))
    for factor in paper.names:
        codes = paper.cohort.factors[factor]
        groups = [codes == code for code in range(len(paper.levels(factor)))]
        if min(int((group & event).sum()) for group in groups) < 3:
            continue
        medians = [Curve.fit(time[group], event[group]).median() for group in groups]
        for code, median in enumerate(medians):
            paper.add(
                kind="median", endpoint=endpoint, factor=factor, level=f"l{code}", value=paper.time(median, endpoint)
            )
        if len(groups) == 2:
            tested = groups[0] | groups[1]
            p = log_rank_p(time[tested], event[tested], groups[0][tested])
            _print_log_rank(paper, endpoint, factor, p=p, medians=medians)


def _print_log_rank(paper: Paper, endpoint: str, factor: str, *, p: float, medians: Sequence[float]) -> None:
    claim = "no_difference" if p >= 0.05 else "better" if medians[0] > medians[1] else "worse"
    if p < 0.05 and medians[0] == medians[1]:
        claim = ""
    paper.add(
        kind="p_value",
        endpoint=endpoint,
        factor=factor,
        level="l0",
        comparator="l1",
        p=printed_p(p, paper.style.p),
        claim=_safe_claim(p, claim),
    )


def _print_cox(paper: Paper, endpoint: str) -> None:
    two, _, _, outer, inner, marker = paper.names
    columns = [two, outer, inner, *([marker] if paper.rng.random() < 0.5 else [])]
    codes = np.stack([paper.cohort.factors[name] for name in columns], axis=1)
    complete = (codes != UNTESTED).all(axis=1)
    x = (codes[complete] == 0).astype(float)
    time, event = paper.cohort.times[endpoint][complete], paper.cohort.events[endpoint][complete]
    fit = cox(time, event, x)
    if fit is None:
        return
    for name, beta, se in zip(columns, *fit, strict=True):
        if se > 1.5:
            continue
        z = beta / se
        paper.add(
            kind="hazard_ratio",
            endpoint=endpoint,
            factor=name,
            level="l0",
            comparator="l1",
            value=printed(math.exp(beta), 2),
            lower=printed(math.exp(beta - 1.959964 * se), 2),
            upper=printed(math.exp(beta + 1.959964 * se), 2),
            interval="ci95",
            p=printed_p(wald_p(z), "significant" if paper.style.p == "significant" else "three"),
            adjustment="multivariable",
        )


def _print_continuous(paper: Paper) -> None:
    two = paper.names[0]
    codes = paper.cohort.factors[two]
    for name, values in paper.cohort.continuous.items():
        decimals = 0 if name == "age" else 1
        as_range = name == "age" or paper.rng.random() < 0.5
        limits = (values.min(), values.max()) if as_range else np.quantile(values, [0.25, 0.75])
        paper.add(
            kind="median",
            endpoint=name,
            value=printed(float(np.median(values)), decimals),
            lower=printed(float(limits[0]), decimals),
            upper=printed(float(limits[1]), decimals),
            interval="range" if as_range else "iqr",
        )
    for code in (0, 1):
        median = float(np.median(paper.cohort.continuous["lab"][codes == code]))
        paper.add(kind="median", endpoint="lab", factor=two, level=f"l{code}", value=printed(median, 1))
    lab = paper.cohort.continuous["lab"]
    p = float(mannwhitneyu(lab[codes == 0], lab[codes == 1]).pvalue)
    paper.add(kind="p_value", endpoint="lab", factor=two, level="l0", comparator="l1", p=printed_p(p, paper.style.p))


def _print_abstract(paper: Paper) -> None:
    """Repeats of main results, some with fewer digits."""
    (first, _), _ = paper.theme["binary"]
    paper.add(kind="count", location="abstract", endpoint="patients", count=str(paper.cohort.n))
    rate = paper.find(kind="percent", endpoint=first, factor="", population="all")[0]
    paper.add(kind="percent", location="abstract", endpoint=first, value=rate["value"])
    for row in [row for row in paper.rows if row["kind"] == "hazard_ratio"][:3]:
        shorter = paper.rng.random() < 0.3 and not row["p"].startswith("<")
        repeat = {key: row[key] for key in ("endpoint", "factor", "level", "comparator", "value", "adjustment")}
        p = row["p"]
        if shorter and len(p) > 4 and float(p) >= 0.05:
            p = printed(Fraction(p), 2)
        paper.add(kind="hazard_ratio", location="abstract", p=p, **repeat)
