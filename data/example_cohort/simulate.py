"""Simulate the patients of this folder: ``python simulate.py`` writes patients.csv from truth.toml, always the same.

Death D follows the Weibull law of overall survival. Progression P has the hazard that progression-free
survival has beyond that of death, so that the earlier of the two follows the Weibull law of
progression-free survival exactly, and no death precedes the end of progression-free survival.
Progression is found at the monthly visit after it; a patient who dies before that visit counts as dead
without progression. Overall survival is known to a hundredth of a month.
"""

import csv
import io
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
COLUMNS = (
    *("patient", "age", "gfr", "prior_lines", "regimen", "refractoriness"),
    *("extramedullary_disease", "high_risk_cytogenetics"),
    *("pfs_time", "pfs_last_free", "pfs_event", "os_time", "os_event"),
)
FACTORS = (
    "gfr_le_70",
    "triple_class_refractory",
    "extramedullary_disease",
    "high_risk_cytogenetics",
    "age_ge_80",
)
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


def highest(score: Floats, count: int) -> Flags:
    """Mark the ``count`` patients with the highest score."""
    chosen = np.zeros(score.size, dtype=bool)
    chosen[np.argsort(-score, kind="stable")[:count]] = True
    return chosen


def rate(law: dict[str, Any], factors: dict[str, Flags]) -> Floats:
    """Cumulative hazard at one month: log 2 over median^shape, times the hazard ratios of each patient."""
    at_reference = np.log(2) / law["median_at_reference"] ** law["shape"]
    log_ratio = sum(np.log(law["hazard_ratios"][name]) * factors[name] for name in FACTORS)
    return np.asarray(at_reference * np.exp(log_ratio))


def simulate(truth: dict[str, Any]) -> str:
    """The table of patients as CSV."""
    rng = np.random.default_rng(truth["seed"])
    n, sizes = truth["n"], truth["patients"]
    age = np.clip(np.rint(65 + 9 * rng.standard_normal(n)), 37, 86)
    gfr = np.clip(np.rint(70 - 0.6 * (age - 65) + 24 * rng.standard_normal(n)), 8, 141)
    prior_lines = np.clip(np.ceil(rng.exponential(2.6, n)), 1, 13)
    pretreated = np.log(prior_lines) + 0.8 * rng.standard_normal(n)
    triple_class = highest(pretreated, sizes["triple_class"])
    refractory = highest(pretreated, sizes["triple_class"] + sizes["pi_only"])
    extramedullary = highest(0.4 * triple_class + rng.standard_normal(n), sizes["extramedullary_disease"])
    untested = highest(rng.standard_normal(n), sizes["untested"])
    risk = rng.standard_normal(n)
    high_risk = risk >= np.sort(risk[~untested])[-sizes["high_risk"]]
    named = [name for name in ("ixa_rd", "ixa_pd", "ixa_td") for _ in range(sizes[name])]
    regimen = rng.permutation([*named, *["other"] * (n - len(named))])
    factors = dict(zip(FACTORS, (gfr <= 70, triple_class, extramedullary, high_risk, age >= 80), strict=True))

    shape = truth["os"]["shape"]
    death_rate, pfs_rate = rate(truth["os"], factors), rate(truth["pfs"], factors)
    if truth["pfs"]["shape"] != shape or not (pfs_rate > death_rate).all():
        raise ValueError("pfs needs the shape of os, and a higher hazard than os in every patient")
    death = np.ceil(100 * (rng.exponential(size=n) / death_rate) ** (1 / shape)) / 100
    progression = (rng.exponential(size=n) / (pfs_rate - death_rate)) ** (1 / shape)
    reach = truth["follow_up"]
    end = (
        np.rint(100 * (reach["shortest"] + (reach["longest"] - reach["shortest"]) * rng.random(n) ** reach["skew"]))
        / 100
    )

    visit = np.ceil(progression)
    dies = death <= end
    progresses = (visit <= end) & (visit < death)
    pfs_time = np.where(progresses, visit, np.where(dies, death, np.floor(end)))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for i in range(n):
        kind = "triple_class" if triple_class[i] else "pi_only" if refractory[i] else "none"
        tested = "" if untested[i] else str(int(high_risk[i]))
        table.writerow(
            [
                *(f"S{i + 1:03d}", int(age[i]), int(gfr[i]), int(prior_lines[i]), regimen[i], kind),
                *(int(extramedullary[i]), tested),
                f"{pfs_time[i]:g}",
                int(visit[i]) - 1 if progresses[i] else "",
                int(progresses[i] or dies[i]),
                f"{min(death[i], end[i]):g}",
                int(dies[i]),
            ]
        )
    return text.getvalue()


if __name__ == "__main__":
    with (HERE / "truth.toml").open("rb") as file:
        content = tomllib.load(file)
    (HERE / "patients.csv").write_text(simulate(content), encoding="utf-8", newline="\n")
