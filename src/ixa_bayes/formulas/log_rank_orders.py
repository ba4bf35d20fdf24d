"""The order in which two groups have events and leave, simulated and with its probability at any hazard ratio.

Without ties and with proportional hazards this order is all that a log-rank statistic depends on, so nothing
else is drawn: one step per event (and per patient who leaves), no times.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ixa_bayes.formulas.log_rank import Censoring, loss_hazard

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DrawnOrders:
    """Simulated cohorts.

    Attributes
    ----------
    z : ndarray, shape (cohort,)
        Log-rank (O - E) / sqrt(variance), positive if group 1 fares worse; 0 where no event had both groups at risk.
    log_probability : ndarray, shape (cohort, grid)
        Log probability of the order at each hazard ratio, but for a constant of the cohort.
    """

    z: FloatArray
    log_probability: FloatArray


class LogRankOrders:
    """A design whose cohorts are simulated at every hazard ratio of a grid.

    Parameters
    ----------
    n_1, n_2, events, censoring
        As :func:`ixa_bayes.formulas.log_rank.calibrate_log_rank`.
    log_hr : ndarray, shape (grid,)
        Log hazard ratios, group 1 over group 2.

    Notes
    -----
    The next patient to have an event or to leave is from group 1 with the share n_1 (h + c) / (n_1 (h + c) +
    n_2 (1 + c)) of the hazards of those still at risk, h the hazard ratio and c the hazard of leaving. The product
    of these shares is Cox's partial likelihood, with those who leave as a second kind of event.
    """

    def __init__(self, n_1: int, n_2: int, *, events: int, censoring: Censoring, log_hr: FloatArray) -> None:
        self._n_1, self._n_2 = n_1, n_2
        self._leave = censoring == "throughout" and events < n_1 + n_2
        self._steps = n_1 + n_2 if self._leave else events
        self._log_hr, self._hazard = log_hr, np.exp(log_hr)
        hazards = [np.where(np.arange(n_1 + n_2) < n_1, hazard, 1.0) for hazard in self._hazard]
        self._loss = np.array([loss_hazard(hazard, events) if self._leave else 0.0 for hazard in hazards])

    def simulate(self, size: int, *, rng: np.random.Generator) -> DrawnOrders:
        """Simulate ``size`` cohorts at each hazard ratio, all with their probabilities at every other."""
        grid = len(self._log_hr)
        hazard, loss = np.repeat(self._hazard, size), np.repeat(self._loss, size)
        left_1 = np.full(grid * size, self._n_1)
        events_1, losses, expected, variance = (np.zeros(grid * size) for _ in range(4))
        log_probability = np.zeros((grid * size, grid))
        for step in range(self._steps):
            left = self._n_1 + self._n_2 - step
            log_probability -= self._log_hazards(left_1, left)
            force_1 = left_1 * (hazard + loss)
            of_group_1 = rng.random(len(left_1)) * (force_1 + (left - left_1) * (1 + loss)) < force_1
            own = np.where(of_group_1, hazard, 1.0)
            event = rng.random(len(left_1)) * (own + loss) < own if self._leave else np.ones_like(of_group_1)
            share = left_1 / left
            expected += event * share
            variance += event * share * (1 - share)
            events_1 += event & of_group_1
            losses += ~event
            left_1 = left_1 - of_group_1
        log_probability += np.multiply.outer(events_1, self._log_hr)
        if self._leave:
            log_probability += np.multiply.outer(losses, np.log(self._loss))
        score = np.where(variance > 0, events_1 - expected, 0.0)
        return DrawnOrders(score / np.sqrt(np.where(variance > 0, variance, 1.0)), log_probability)

    def _log_hazards(self, left_1: NDArray[np.int64], left: int) -> FloatArray:
        """Log of the hazards of all who are left, shape (cohort, grid): looked up, as few numbers of patients occur."""
        least, most = int(left_1.min()), int(left_1.max())
        of_1 = np.arange(least, most + 1)[:, np.newaxis]
        table = np.log(of_1 * (self._hazard + self._loss) + (left - of_1) * (1 + self._loss))
        return np.asarray(table[left_1 - least])
