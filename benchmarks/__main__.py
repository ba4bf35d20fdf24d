"""``make bench``: everything, or the sections that are named, such as ``python -m benchmarks fits curve``."""

import argparse
from collections.abc import Callable
from importlib import import_module

SECTIONS: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "commands": ("Whole commands, warm, interleaved", lambda: import_module("benchmarks.commands").measure()),
    "process": ("A whole fit, cold and warm", lambda: import_module("benchmarks.commands").measure_fit()),
    "fits": ("A further fit of 126 patients and its peers", lambda: import_module("benchmarks.fits").measure()),
    "curve": ("From 126 to 1,000,000 patients", lambda: import_module("benchmarks.curve").measure()),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(SECTIONS))
    asked = parser.parse_args().sections or list(SECTIONS)
    if unknown := [name for name in asked if name not in SECTIONS]:
        parser.error(f"{', '.join(unknown)}: there are {', '.join(SECTIONS)}")
    for section in asked:
        title, measure = SECTIONS[section]
        print(f"# {title}\n\n" + "\n".join(measure()) + "\n", flush=True)
