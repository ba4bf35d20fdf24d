"""The command line: arguments in, exit codes out; no statistics.

Heavy imports stand inside the commands, so that ``--help`` answers at once.
"""

import sys

from ixa_bayes.cli import papers, patients
from ixa_bayes.cli.terminal import BAD_INPUT, app, err
from ixa_bayes.errors import InputError

__all__ = ["app", "main", "papers", "patients"]


def main() -> None:
    """Run the command line; faults of the input end with exit code 2."""
    try:
        app()
    except InputError as error:
        err.print(str(error), markup=False, soft_wrap=True, style="red")
        sys.exit(BAD_INPUT)
