"""Whole commands as processes, beside what importing a sampler costs and what the libraries they need cost."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.clock import Cost, middle

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


FIT = ["fit", "pfs_weibull", "--cohort", "example_cohort", "--force", "--output"]


def measure(commands: Mapping[str, Sequence[str]] = COMMANDS, *, repeats: int = REPEATS) -> list[str]:
    """Median seconds of each command over interleaved runs, and its ratio to the first, as a Markdown table."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            costs[name].append(_cost(command))
    return table(costs)


def measure_fit(*, repeats: int = 3) -> list[str]:
    """A whole ``fit`` in a process: with nothing kept on the disk, then with the machine code of the first run."""
    sampler = [sys.executable, "-c", "import pymc, nutpie"]
    costs: dict[str, list[Cost]] = {"python -c 'import pymc, nutpie'": [_cost(sampler) for _ in range(repeats)]}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ixa_bayes", *FIT, str(Path(folder) / "fit")]
        kept = {"IXA_BAYES_CACHE": str(Path(folder) / "cache")}
        costs["ixa-bayes fit pfs_weibull, the first ever"] = [_cost(command, kept)]
        costs["ixa-bayes fit pfs_weibull, in a later process"] = [_cost(command, kept) for _ in range(repeats)]
    return table(costs)


def table(costs: Mapping[str, Sequence[Cost]]) -> list[str]:
    """Median seconds of each command and its ratio to the first, as a Markdown table."""
    first = middle(next(iter(costs.values())))
    lines = [
        "| command | median s | min to max s | of the first | CPU s | of the first |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in costs.items():
        spread = f"{min(cost.wall for cost in found):.2f} to {max(cost.wall for cost in found):.2f}"
        cost = middle(found)
        lines.append(
            f"| `{name}` | {cost.wall:.2f} | {spread} | {cost.wall / first.wall:.2f} "
            f"| {cost.cpu:.2f} | {cost.cpu / first.cpu:.2f} |"
        )
    return lines


def _cost(command: Sequence[str], variables: Mapping[str, str] | None = None) -> Cost:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | dict(variables or {}))
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
