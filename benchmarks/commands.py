"""Whole commands as processes, beside what importing a sampler costs."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

REPEATS = 5
COMMANDS = {
    "python -c 'import pymc'": [sys.executable, "-c", "import pymc"],
    "ixa-bayes --help": [sys.executable, "-m", "ixa_bayes", "--help"],
    "ixa-bayes check-study zhou2026": [sys.executable, "-m", "ixa_bayes", "check-study", "zhou2026"],
    "ixa-bayes audit zhou2026": [sys.executable, "-m", "ixa_bayes", "audit", "zhou2026"],
}


def _seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    return time.perf_counter() - start


def measure() -> list[str]:
    """Median seconds of each command over interleaved runs, and its ratio to the first."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, command in COMMANDS.items():
            times[name].append(_seconds(command))
    medians = {name: statistics.median(values) for name, values in times.items()}
    first = next(iter(medians.values()))
    lines = ["| command | median s | min to max s | of `import pymc` |", "|---|---|---|---|"]
    for name, values in times.items():
        spread = f"{min(values):.2f} to {max(values):.2f}"
        lines.append(f"| `{name}` | {medians[name]:.2f} | {spread} | {medians[name] / first:.2f} |")
    return lines
