"""Whether a likelihood has a maximum: the directions in which log hazard ratios run to infinity.

A coefficient vector ``delta`` is such a direction when, wherever an event is compared with a risk
set, its linear predictor is the largest of the set: ``x_i'delta >= x_k'delta`` for all k in the set.
Moving along it then never lowers the likelihood. The Cox likelihood compares each event with the
patients at risk at its time; the piecewise-exponential one with everybody observed in its interval;
the Weibull one with everybody, and may also let its shape grow (``log t`` as one more covariate).
Each is a linear programme; its constraints are added as they are violated, because a cohort has
millions of them and needs a few dozen.

References
----------
Albert & Anderson (1984), Biometrika 71:1, and Konis (2007) for logistic regression; Jacobsen (1989),
Scandinavian Journal of Statistics 16:335, for Cox's likelihood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.optimize import linprog

from ixa_bayes.crosscheck.observations import FloatArray, FollowUp, IntArray, NotAvailableError

Limit = Literal["finite", "infinity", "-infinity", "undetermined"]
"""Where a log hazard ratio's estimate lies; undetermined where it can run either way."""

MOST_COMPARED: Final = 50_000_000
"""Rows at risk, added up over distinct event times: 400 MB of row numbers."""
_ROUNDS: Final = 500
# The solver keeps to its constraints within 1e-7; a direction that matters goes much further.
_VIOLATED: Final = 1e-7
_REACHED: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Comparison:
    """Events that a likelihood compares with one risk set.

    Attributes
    ----------
    events, at_risk : ndarray of int
        Row numbers; the events are among those at risk.
    """

    events: IntArray
    at_risk: IntArray


def cox_comparisons(data: FollowUp) -> list[Comparison]:
    """One comparison per distinct event time.

    Raises
    ------
    NotAvailableError
        If all their patients at risk together are more than :data:`MOST_COMPARED`.
    """
    times = np.unique(data.time[data.event])
    end, start = np.sort(data.time), np.sort(data.entry)
    at_risk = np.searchsorted(start, times, side="left") - np.searchsorted(end, times, side="left")
    if (n := int(at_risk.sum())) > MOST_COMPARED:
        found = f"{times.size:,} event times with {n / times.size:,.0f} rows at risk on average"
        raise NotAvailableError(f"{found} are more than can be compared here")
    return [
        Comparison(np.flatnonzero(data.event & (data.time == t)), np.flatnonzero(data.at_risk(t)))
        for t in times.tolist()
    ]


def limits(design: FloatArray, comparisons: Sequence[Comparison], *, only_grows: Sequence[int] = ()) -> list[Limit]:
    """Where the maximum-likelihood estimate of each coefficient lies.

    Parameters
    ----------
    design : ndarray, shape (row, coefficient)
        Columns of comparable scale; none a combination of the others within every comparison.
    comparisons : sequence of Comparison
    only_grows : sequence of int
        Columns whose coefficient cannot fall (a Weibull shape).

    Returns
    -------
    list of {"finite", "infinity", "-infinity", "undetermined"}
        One per column; all finite if the likelihood has a maximum.
    """
    width = design.shape[1]
    box = [(0.0 if column in only_grows else -1.0, 1.0) for column in range(width)]
    cone = _Cone(design, comparisons, box)
    found: list[Limit] = []
    for column in range(width):
        up, down = cone.reaches(column, 1.0), cone.reaches(column, -1.0)
        found.append("undetermined" if up and down else "infinity" if up else "-infinity" if down else "finite")
    return found


class _Cone:
    """Directions within a box along which no comparison gets worse; constraints are found when they are violated."""

    def __init__(self, design: FloatArray, comparisons: Sequence[Comparison], box: list[tuple[float, float]]) -> None:
        self._design, self._comparisons, self._box = design, comparisons, box
        self._differences: list[FloatArray] = []
        self._known: set[bytes] = set()

    def reaches(self, column: int, sign: float) -> bool:
        """Whether a direction of the cone moves a coefficient up (sign 1) or down (sign -1)."""
        objective = np.zeros(self._design.shape[1])
        objective[column] = sign
        for _ in range(_ROUNDS):
            direction = self._furthest(objective)
            if sign * direction[column] < _REACHED:
                return False
            if not self._add_violated(direction):
                return True
        raise ArithmeticError(f"no decision on separation after {_ROUNDS} rounds; check the scale of the covariates.")

    def _furthest(self, objective: FloatArray) -> FloatArray:
        rows = -np.asarray(self._differences) if self._differences else None
        bounds = None if rows is None else np.zeros(len(rows))
        result = linprog(-objective, A_ub=rows, b_ub=bounds, bounds=self._box, method="highs")
        direction: FloatArray = np.asarray(result.x, dtype=float)
        return direction

    def _add_violated(self, direction: FloatArray) -> bool:
        predictor, known = self._design @ direction, len(self._known)
        for c in self._comparisons:
            lowest = c.events[np.argmin(predictor[c.events])]
            highest = c.at_risk[np.argmax(predictor[c.at_risk])]
            if predictor[highest] - predictor[lowest] > _VIOLATED:
                difference = self._design[lowest] - self._design[highest]
                difference = difference / np.abs(difference).max()
                if difference.tobytes() not in self._known:
                    self._known.add(difference.tobytes())
                    self._differences.append(difference)
        return len(self._known) > known
