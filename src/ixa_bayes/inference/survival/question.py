"""A model file applied to a cohort: rows, design and structure, all that a posterior will depend on."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ixa_bayes.cohort.follow_up import is_start_stop
from ixa_bayes.cohort.table import Cohort
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.inference.posterior_file import data_hash
from ixa_bayes.models.design_matrix import Design, design_of
from ixa_bayes.models.missing import (
    Patterns,
    pattern_data,
    pattern_rows,
    patterns_of,
)
from ixa_bayes.models.over_time import change_data, changing_of, walks_of
from ixa_bayes.models.piecewise import (
    cut_points,
    is_by_row,
    piecewise_data,
)
from ixa_bayes.models.ratio_priors import (
    by_family,
    families,
    ratio_data,
)
from ixa_bayes.models.survival_analysis import PiecewiseBaseline, SurvivalAnalysis, WeibullBaseline
from ixa_bayes.models.survival_likelihood import Structure
from ixa_bayes.models.survival_rows import SurvivalRows, row_kinds, survival_rows
from ixa_bayes.models.weibull import (
    is_tabled,
    weibull_data,
)

MOST_ROWS: Final = 200_000
"""Rows that a program goes through one by one at each step."""
MOST_COUNTED_ROWS: Final = 2_000_000
"""Distinct rows of which a program sees only counts and sums by covariate pattern."""


@dataclass(frozen=True, eq=False)
class SurvivalQuestion:
    """A model file applied to a cohort: all that a posterior depends on, and nothing sampled yet.

    Attributes
    ----------
    analysis : SurvivalAnalysis
    cohort : Cohort
    design : Design
    rows : SurvivalRows
        Those of the design: rows equal in all that the likelihood uses are one, with the sum of their weights.
    member : ndarray of int, shape (row of the cohort that is used,)
        Which of ``rows`` each used row of the cohort is, in the cohort's order.
    unit : ndarray of int, shape (row,)
        Which independent contribution to the likelihood each of ``rows`` belongs to: its own, or in a start-stop table
        that of its patient. Leave-one-out leaves out units.
    cuts : tuple of float
        Cut-points of a piecewise-exponential baseline, in months; empty for a Weibull one.
    structure : Structure
    patterns : Patterns
        What the values of marginalised covariates can be.
    """

    analysis: SurvivalAnalysis
    cohort: Cohort
    design: Design
    rows: SurvivalRows
    member: NDArray[np.int64]
    unit: NDArray[np.int64]
    cuts: tuple[float, ...]
    structure: Structure
    patterns: Patterns

    @property
    def unit_weight(self) -> NDArray[np.int64]:
        """How many equal units each unit stands for, shape (unit,)."""
        _, first = np.unique(self.unit, return_index=True)
        return self.rows.weight[first]

    @property
    def weight_at_entry(self) -> NDArray[np.int64]:
        """Weight of each row among patients as they were at entry, shape (row,): 0 for a patient's later stretches."""
        order = np.lexsort((self.rows.entry, self.unit))
        _, first = np.unique(self.unit[order], return_index=True)
        weight = np.zeros_like(self.rows.weight)
        weight[order[first]] = self.rows.weight[order[first]]
        return weight

    @property
    def changing(self) -> dict[str, tuple[str, ...]]:
        """Coefficients of each covariate whose effect changes over time."""
        return changing_of(self.design, self.analysis)

    @property
    def incomplete(self) -> NDArray[np.bool_]:
        """Rows of which the values of a covariate are summed, shape (row,)."""
        return np.asarray(self.patterns.missing.any(axis=1), dtype=bool)

    def only(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "SurvivalQuestion":
        """The same question about some of the rows; ``member`` stays that of all."""
        design = replace(self.design, matrix=self.design.matrix.iloc[rows])
        return replace(
            self, design=design, rows=self.rows.chosen(rows), unit=self.unit[rows], patterns=patterns_of(design)
        )

    def data(self) -> dict[str, ArrayLike]:
        """Rows and prior numbers as the compiled program takes them."""
        order = by_family(self.design.priors)
        # A missing value stands at 0 before coding; the patterns add what is missing to it.
        baseline, design = self.analysis.baseline, pattern_rows(self.design, self.patterns, 0)[order]
        if isinstance(baseline, WeibullBaseline):
            data = weibull_data(self.rows, design, baseline=baseline, structure=self.structure)
        else:
            data = piecewise_data(self.rows, design, baseline=baseline, cuts=self.cuts, structure=self.structure)
        if self.patterns.covariates:
            data |= pattern_data(self.patterns, self.analysis.missing, coefficients=order)
        if self.structure.changing:
            data |= self._changes()
        return data | ratio_data(self.design.priors)

    def _changes(self) -> dict[str, ArrayLike]:
        """What changing effects add to the data, for the rows of the compiled program."""
        each = [pattern_rows(self.design, self.patterns, p) for p in range(len(self.patterns.bits))]
        if not is_by_row(self.structure):
            each = [each[0].drop_duplicates()]
        return change_data(each, changing=self.changing, walks=walks_of(self.analysis), cuts=self.cuts)

    def data_sha256(self) -> str:
        """Hash of the rows and prior numbers, and of the names of coefficients and cut-points."""
        labels = (*self.design.matrix.columns, *(f"{cut!r}" for cut in self.cuts))
        return data_hash(self.data(), labels=tuple(str(label) for label in labels))


def question_of(analysis: SurvivalAnalysis, cohort: Cohort) -> SurvivalQuestion:
    """Apply a model to a cohort.

    Raises
    ------
    InputError
        If the cohort lacks what the model needs; every fault at once. If more rows are distinct than
        :data:`MOST_ROWS`, or :data:`MOST_COUNTED_ROWS` where they are counted by pattern; or if ties of events leave
        a model with effects that change over time a single interval.
    """
    design = design_of(cohort, analysis)
    follow_up = cohort.follow_up[analysis.endpoint]
    rows = survival_rows(follow_up, design.rows)
    if is_start_stop(follow_up):  # stretches of one patient must stay apart from those of others
        member = np.arange(rows.event.size, dtype=np.int64)
        unit = np.asarray(pd.factorize(follow_up["patient"].to_numpy()[design.rows])[0], dtype=np.int64)
    else:
        design, rows, member = collapsed(design, rows)
        unit = np.arange(rows.event.size, dtype=np.int64)
    baseline = analysis.baseline
    cuts = cut_points(baseline, rows) if isinstance(baseline, PiecewiseBaseline) else ()
    changing = changing_of(design, analysis)
    if changing and not cuts:
        rule = "an effect that changes over time needs at least two intervals"
        mend = "give `cuts` in months, or remove `walk` of the covariates"
        where = f"model {analysis.name}, covariate {', '.join(changing)}, walk"
        raise InputError([Problem(where, "one interval, since events are tied or too few", rule, mend)])
    patterns = patterns_of(design)
    tabled = isinstance(baseline, WeibullBaseline) and is_tabled(rows, design.matrix)
    structure = Structure(
        law=baseline.law,
        families=families(design.priors),
        level="median" if isinstance(baseline, PiecewiseBaseline) or baseline.median else "log_rate",
        late_entry=bool(np.any(rows.entry > 0)) and isinstance(baseline, WeibullBaseline) and not tabled,
        between=bool(rows.between.any()),
        n_intervals=len(cuts) + 1 if isinstance(baseline, PiecewiseBaseline) else 0,
        walk=isinstance(baseline, PiecewiseBaseline) and baseline.walk is not None and bool(cuts),
        tabled=tabled,
        changing=tuple(len(coefficients) for coefficients in changing.values()),
        n_marginalised=len(patterns.covariates),
        n_predictors=patterns.predictors.shape[1] if patterns.covariates else 0,
    )
    by_row = is_by_row(structure) if isinstance(baseline, PiecewiseBaseline) else not tabled
    n_patterns = len(design.matrix) if by_row else len(design.matrix.drop_duplicates())
    if n_patterns > MOST_ROWS or rows.event.size > MOST_COUNTED_ROWS:
        raise _too_many(cohort.name, MOST_ROWS if n_patterns > MOST_ROWS else MOST_COUNTED_ROWS, rows.event.size)
    return SurvivalQuestion(analysis, cohort, design, rows, member, unit, cuts, structure, patterns)


def _too_many(cohort: str, most: int, found: int) -> InputError:
    rule = f"this model takes at most {most:,} rows that differ in what it uses; equal ones count as one"
    mend = "round times (to months, say), use covariates of few values (gfr <= 70), or fit a sample of the patients"
    return InputError([Problem(f"cohort {cohort}", f"{found:,} distinct rows", rule, mend)])


def collapsed(design: Design, rows: SurvivalRows) -> tuple[Design, SurvivalRows, NDArray[np.int64]]:
    """Rows that are equal in all that the likelihood uses as one each, exactly: their weights add up.

    Returns
    -------
    Design, SurvivalRows, ndarray of int
        In the order of first appearance, and which of them each given row is.
    """
    known = pd.DataFrame({name: getattr(rows, name) for name in ("entry", "end", "upper", "event", "between")})
    table = pd.concat([known, design.matrix.reset_index(drop=True)], axis=1)
    member = row_kinds(table)
    _, first = np.unique(member, return_index=True)
    weight = np.bincount(member, weights=rows.weight).round().astype(np.int64)
    return replace(design, matrix=design.matrix.iloc[first]), replace(rows.chosen(first), weight=weight), member
