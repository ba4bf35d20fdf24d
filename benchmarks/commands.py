"""Whole commands as processes, beside what importing a sampler costs and what the libraries they need cost."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REPEATS = 5
AUDIT = ["audit", "zhou2026"]
WITHOUT_HYPOTHESIS = (
    f"import sys; sys.modules['hypothesis'] = None; sys.argv[1:] = {AUDIT!r}; from ixa_bayes.cli import main; main()"
)
COMMANDS = {
    "python -c 'import pymc'": [sys.executable, "-c", "import pymc"],
    "ixa-bayes --help": [sys.executable, "-m", "ixa_bayes", "--help"],
    "ixa-bayes check-study zhou2026": [sys.executable, "-m", "ixa_bayes", "check-study", "zhou2026"],
    "ixa-bayes audit zhou2026": [sys.executable, "-m", "ixa_bayes", *AUDIT],
    # pandera imports hypothesis where it finds it, as in a development environment; with the wheel it does not.
    "ixa-bayes audit zhou2026 (as installed, without hypothesis)": [sys.executable, "-c", WITHOUT_HYPOTHESIS],
    # What the audit's libraries cost alone: the part that no change of ours can save.
    "python -c 'import pandas'": [sys.executable, "-c", "import pandas"],
    "python -c 'import pandas, scipy.stats'": [sys.executable, "-c", "import pandas, scipy.stats"],
}


@dataclass(frozen=True)
class Cost:
    """Seconds of one process, by the clock and by the processors.

    Attributes
    ----------
    wall, cpu : float
        The clock also counts what else the machine does; the processors' time hardly does.
    """

    wall: float
    cpu: float


def _cost(command: Sequence[str]) -> Cost:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def measure(commands: Mapping[str, Sequence[str]] = COMMANDS, *, repeats: int = REPEATS) -> list[str]:
    """Median seconds of each command over interleaved runs, and its ratio to the first, as a Markdown table."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            costs[name].append(_cost(command))
    wall = {name: statistics.median(cost.wall for cost in found) for name, found in costs.items()}
    cpu = {name: statistics.median(cost.cpu for cost in found) for name, found in costs.items()}
    first = next(iter(commands))
    lines = [
        "| command | median s | min to max s | of the first | CPU s | of the first |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in costs.items():
        spread = f"{min(cost.wall for cost in found):.2f} to {max(cost.wall for cost in found):.2f}"
        ratios = wall[name] / wall[first], cpu[name] / cpu[first]
        lines.append(
            f"| `{name}` | {wall[name]:.2f} | {spread} | {ratios[0]:.2f} | {cpu[name]:.2f} | {ratios[1]:.2f} |"
        )
    return lines
