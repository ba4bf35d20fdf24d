"""Seconds by the clock and by the processors."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Seconds that something took.

    Attributes
    ----------
    wall, cpu : float
        The clock also counts what else the machine does; the processors' time, of all threads, hardly does.
    """

    wall: float
    cpu: float


def timed[Result](call: Callable[[], Result]) -> tuple[Result, Cost]:
    """What a call returns and what it took, in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, Cost(time.perf_counter() - wall, time.process_time() - cpu)


def middle(costs: Sequence[Cost]) -> Cost:
    """Median of each kind of seconds."""
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))
