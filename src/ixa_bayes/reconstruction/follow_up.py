"""One patient's follow-up on a grid of visits, and its probability: progression, death and last contact together.

Time from the start of treatment is cut into cells (a tenth of a month, say), and visits are a whole number of cells
apart. A patient's follow-up is three whole numbers: the visit at which progression was found (0: not found), the cell
in which the last contact lies, and whether that was death. Three cause-specific hazards make it (Putter, Fiocco &
Geskus 2007, Stat Med 26:2389, the illness-death model): of progression, of death before it and of death after it, the
last the second times a constant; so death never precedes progression. Progression is found at the first visit after
it. Follow-up without death ends by the data cut-off, uniform between two times because patients were accrued evenly,
or by loss at a constant rate. Probabilities of all follow-ups of a patient add up to 1.

Functions are compiled; they take arrays and whole numbers, so that the sampler can call them a million times a second.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LEVEL_OF_PROGRESSION: Final = 0
SHAPE_OF_PROGRESSION: Final = 1
LEVEL_OF_DEATH: Final = 2
SHAPE_OF_DEATH: Final = 3
AFTER_PROGRESSION: Final = 4
LOSS: Final = 5
N_BASELINE: Final = 6
"""Places in the vector of parameters: log rate per month and log shape of the Weibull hazards of progression and of
death, the log of the ratio of the hazards of death after and before progression, the log rate of loss per month; then
one log hazard ratio of progression for each covariate, then one of death."""


@dataclass(frozen=True)
class Grid:
    """How follow-up is cut into cells.

    Attributes
    ----------
    cell : float
        Months.
    cells_per_visit : int
    shortest, longest : float
        Months from the start of the last and of the first patient to the data cut-off; ``longest`` ends the last cell.
    """

    cell: float
    cells_per_visit: int
    shortest: float
    longest: float

    def __post_init__(self) -> None:
        """Refuse what cannot be followed.

        Raises
        ------
        ValueError
            If the times are out of order, or the last cell would end after the data cut-off.
        """
        if self.cell <= 0 or self.cells_per_visit < 1 or not 0 <= self.shortest < self.longest:
            raise ValueError(f"{self}: needs cell > 0, cells_per_visit >= 1 and 0 <= shortest < longest.")
        if abs(self.n_cells * self.cell - self.longest) > 1e-9 * self.longest:
            raise ValueError(f"{self}: longest must be a whole number of cells.")

    @property
    def n_cells(self) -> int:
        """Cells until the data cut-off of the first patient."""
        return round(self.longest / self.cell)

    def as_array(self) -> FloatArray:
        """``cell, cells_per_visit, shortest, longest`` for the compiled functions."""
        return np.array([self.cell, self.cells_per_visit, self.shortest, self.longest])


@njit(cache=True)
def log_probability(
    found: int, last: int, dead: bool, log_rate: float, log_rate_of_death: float, theta: FloatArray, grid: FloatArray
) -> float:
    """Log probability of one patient's follow-up.

    Parameters
    ----------
    found : int
        Visit at which progression was found, at most the last visit before the end; 0 if not found.
    last : int
        Cell of the last contact, from 1.
    dead : bool
    log_rate, log_rate_of_death : float
        Of the patient: level plus effects of the covariates.
    theta : ndarray
        Parameters; the levels in it are not used.
    grid : ndarray
        :meth:`Grid.as_array`.

    Returns
    -------
    float
        ``-inf`` where the follow-up is impossible.
    """
    cell, per_visit = grid[0], int(grid[1])
    shape, shape_of_death = np.exp(theta[SHAPE_OF_PROGRESSION]), np.exp(theta[SHAPE_OF_DEATH])
    visits = last // per_visit
    if last < 1 or last > round(grid[3] / cell) or found < 0 or found > visits:
        return -np.inf
    visit = cell * per_visit
    if found > 0:
        before = _cumulative((found - 1) * visit, log_rate, shape)
        total = -before + _log_of_event(_cumulative(found * visit, log_rate, shape) - before)
    else:
        total = -_cumulative(visits * visit, log_rate, shape)
    turn = found * per_visit if found > 0 else last
    until = _with_turn(last, turn, log_rate_of_death, shape_of_death, theta[AFTER_PROGRESSION], cell)
    if dead:
        before = _with_turn(last - 1, turn, log_rate_of_death, shape_of_death, theta[AFTER_PROGRESSION], cell)
        in_view = math.log(_still_followed((last - 1) * cell, theta[LOSS], grid))
        return total - before + _log_of_event(until - before) + in_view
    ends = _still_followed((last - 1) * cell, theta[LOSS], grid) - _still_followed(last * cell, theta[LOSS], grid)
    return total - until + math.log(ends)


@njit(cache=True)
def simulate(
    rng: np.random.Generator, log_rate: float, log_rate_of_death: float, theta: FloatArray, grid: FloatArray
) -> tuple[int, int, bool]:
    """Draw one patient's ``found``, ``last`` and ``dead``; see :func:`log_probability`.

    Times come from the hazards themselves, and are put on the grid afterwards.
    """
    cell, per_visit, shortest, longest = grid[0], int(grid[1]), grid[2], grid[3]
    shape, shape_of_death = np.exp(theta[SHAPE_OF_PROGRESSION]), np.exp(theta[SHAPE_OF_DEATH])
    n_cells = int(np.round(longest / cell))
    cut_off = shortest + (longest - shortest) * rng.random()
    end = min(cut_off, rng.standard_exponential() * np.exp(-theta[LOSS]))
    end_cell = min(int(np.floor(end / cell)) + 1, n_cells)
    progression = (rng.standard_exponential() * np.exp(-log_rate)) ** (1 / shape)
    found_at = min(int(np.floor(min(progression / (cell * per_visit), 1e9))) + 1, n_cells + 1)
    turn = found_at * per_visit
    hazard = rng.standard_exponential()
    until_turn = _cumulative(turn * cell, log_rate_of_death, shape_of_death)
    if hazard > until_turn:
        hazard = until_turn + (hazard - until_turn) * np.exp(-theta[AFTER_PROGRESSION])
    death = (hazard * np.exp(-log_rate_of_death)) ** (1 / shape_of_death)
    death_cell = int(np.floor(min(death / cell, 1e9))) + 1
    last = min(end_cell, death_cell)
    found = found_at if turn <= last else 0
    return found, last, death_cell <= end_cell


@njit(cache=True)
def _cumulative(time: float, log_rate: float, shape: float) -> float:
    """Weibull cumulative hazard."""
    return float(math.exp(log_rate) * time**shape) if time > 0 else 0.0


@njit(cache=True)
def _with_turn(cells: int, turn: int, log_rate: float, shape: float, log_ratio: float, cell: float) -> float:
    """Cumulative hazard of death over some cells, where from cell ``turn`` on the hazard is another."""
    if cells <= turn:
        return _cumulative(cells * cell, log_rate, shape)
    until = _cumulative(turn * cell, log_rate, shape)
    return until + math.exp(log_ratio) * (_cumulative(cells * cell, log_rate, shape) - until)


@njit(cache=True)
def _log_of_event(cumulative: float) -> float:
    """``log(1 - exp(-H))``."""
    return math.log(-math.expm1(-cumulative)) if cumulative > 0 else -np.inf


@njit(cache=True)
def _still_followed(time: float, log_loss: float, grid: FloatArray) -> float:
    """Probability that neither the data cut-off nor loss has ended follow-up by a time."""
    shortest, longest = grid[2], grid[3]
    if time >= longest - 1e-9 * longest:
        return 0.0
    accrual = 1.0 if time <= shortest else (longest - time) / (longest - shortest)
    return accrual * math.exp(-math.exp(log_loss) * time)
