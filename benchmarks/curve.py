"""What a fit takes as the number of patients grows: each in a process of its own, with its peak memory."""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.clock import timed
from benchmarks.cohorts import Law, analysis, large_table, read
from ixa_bayes.inference.sampling import SamplerSettings, sample
from ixa_bayes.inference.survival.fitting import survival_program
from ixa_bayes.inference.survival.question import question_of

HEADER: Final = (
    "| patients | rows of the program | make and read s | collapse s | sampling s | of N = {base:,} | CPU s "
    "| of N = {base:,} | peak MiB |",
    "|---|---|---|---|---|---|---|---|---|",
)
BASE: Final = 1_000
"""Patients that the ratios are to."""


@dataclass(frozen=True)
class Case:
    """A kind of cohort and the model of it.

    Attributes
    ----------
    law : {"Weibull", "piecewise"}
    continuous : bool
        Whether no two patients are alike.
    days : bool
        Whether times are whole days.
    sizes : tuple of int
        Numbers of patients, among them that of the ratios.
    draws, tune : int
        Of each of four chains.
    """

    law: Law
    continuous: bool
    days: bool
    sizes: tuple[int, ...]
    draws: int = 1000
    tune: int = 500


COLLAPSED: Final = (126, 1_000, 10_000, 100_000, 1_000_000)
CASES: Final[Mapping[str, Case]] = {
    "piecewise, 10 intervals, seven binary covariates": Case("piecewise", False, False, COLLAPSED),
    "Weibull, times in days, seven binary covariates": Case("Weibull", False, True, COLLAPSED),
    "piecewise, 10 intervals, seven continuous covariates": Case("piecewise", True, False, COLLAPSED[:-1], 200, 200),
    "Weibull, seven continuous covariates": Case("Weibull", True, False, COLLAPSED[:-1], 200, 200),
}


@dataclass(frozen=True)
class Point:
    """One number of patients.

    Attributes
    ----------
    n, n_rows : int
        Patients, and rows that the likelihood is computed for.
    read, collapse, wall, cpu : float
        Seconds of making and reading the table, of collapsing it, and of sampling once more by clock and processors.
    peak : float
        MiB of memory that the process held at most, Python and its libraries included.
    """

    n: int
    n_rows: int
    read: float
    collapse: float
    wall: float
    cpu: float
    peak: float


def point(case: Case, n: int) -> Point:
    """Measure one number of patients, in this process."""
    model = analysis(case.law, draws=case.draws, tune=case.tune)
    table, made = timed(partial(large_table, n, continuous=case.continuous, days=case.days))
    cohort, reading = timed(partial(read, table, days=case.days))
    asked, collapse = timed(partial(question_of, model, cohort))
    program, data = survival_program(asked.structure), asked.data()
    settings = SamplerSettings(case.draws, case.tune, model.sampler.target_accept)
    sample(program, data, settings=SamplerSettings(100, 100, settings.target_accept), seed=1)
    _, cost = timed(partial(sample, program, data, settings=settings, seed=1))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    return Point(n, len(np.asarray(data["design"])), made.wall + reading.wall, collapse.wall, cost.wall, cost.cpu, peak)


def measure(cases: Mapping[str, Case] = CASES) -> list[str]:
    """The curves as Markdown tables."""
    lines: list[str] = []
    for name, case in cases.items():
        lines += [f"## {name}: 4 chains of {case.draws} after {case.tune}", ""]
        lines += [*rows([_apart(case, n) for n in case.sizes]), ""]
    return lines


def rows(points: Sequence[Point], *, base: int = BASE) -> list[str]:
    """Points as lines of a Markdown table, with ratios to the one of ``base`` patients."""
    (first,) = (found for found in points if found.n == base)
    return [
        *(line.format(base=base) for line in HEADER),
        *(
            f"| {found.n:,} | {found.n_rows:,} | {found.read:.2f} | {found.collapse:.2f} | {found.wall:.2f} "
            f"| {found.wall / first.wall:.1f} | {found.cpu:.2f} | {found.cpu / first.cpu:.1f} | {found.peak:.0f} |"
            for found in points
        ),
    ]


def _apart(case: Case, n: int) -> Point:
    """A point, measured in a process of its own, so that its peak memory is its own too."""
    command = [sys.executable, "-m", "benchmarks.curve", json.dumps(asdict(case)), str(n)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    return Point(**json.loads(done.stdout))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", help="a Case as JSON")
    parser.add_argument("n", type=int)
    given = parser.parse_args()
    print(json.dumps(asdict(point(Case(**json.loads(given.case)), given.n))))
