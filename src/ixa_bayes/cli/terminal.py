"""What the commands share: the app that they join, the terminal, options, exit codes, and a bar while they work."""

from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, signal
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ixa_bayes import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

NOT_CONVERGED, REJECTED, BAD_INPUT, INTERRUPTED = 1, 1, 2, 130
DEFAULT_STUDY = "zhou2026"
DEFAULT_SEED = 20261125

app = typer.Typer(
    help="Bayesian reanalysis of small clinical cohorts: what does the evidence really say?",
    epilog="Begin with a paper (ixa-bayes new-study my_study) or with patients (ixa-bayes new-cohort my_cohort).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def _show_version(asked: bool) -> None:
    if asked:
        out.print(f"ixa-bayes {__version__}", markup=False)
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]


@app.callback()
def ixa_bayes(version: VersionOption = False) -> None:
    """Take the options that belong to no command."""


StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A folder with study.toml and statistics.csv, or a built-in name.")
]
CohortArgument = Annotated[
    str, typer.Argument(metavar="COHORT", help="A table of patients, a folder with cohort.toml, or a built-in name.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder to write, replaced as a whole; results/STUDY if not given."),
]
FitArgument = Annotated[Path, typer.Argument(metavar="FIT", help="A folder of results of ixa-bayes fit.")]
FitCohortOption = Annotated[
    str | None,
    typer.Option(metavar="COHORT", help="Where the fit's cohort is, if no longer where it was fitted from."),
]
SeedOption = Annotated[int, typer.Option(help="Seed of everything random in the command.", min=0)]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there, even if nothing has changed.")]


@contextmanager
def progress_bar() -> "Iterator[Callable[[str, int, int], None]]":
    """A progress bar for work of more than two seconds; on Ctrl-C it says that nothing was written."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("Reading", total=None)
        stopped = Event()

        def on_interrupt(signum: int, frame: "FrameType | None") -> None:
            stopped.set()
            raise KeyboardInterrupt

        def show(step: str, done: int, total: int) -> None:
            # Compiled code called in between may swallow the exception; the flag stays up.
            if stopped.is_set():
                raise KeyboardInterrupt
            bar.update(task, description=step, completed=done, total=total)

        before = signal(SIGINT, on_interrupt)
        try:
            yield show
        except KeyboardInterrupt as interruption:
            bar.stop()
            err.print("Stopped. Nothing was written; results of an earlier run stand as they were.")
            raise typer.Exit(INTERRUPTED) from interruption
        finally:
            signal(SIGINT, before)
        bar.update(task, description="Done", completed=1, total=1)


def print_outcome(headlines: list[str], not_converged: list[str], *, unchanged: bool) -> None:
    """What a command found, and what did not converge."""
    if unchanged:
        out.print("Nothing has changed since the last run (--force computes again).")
    for line in headlines:
        out.print(line, markup=False, soft_wrap=True)
    for line in not_converged:
        err.print(f"Not converged: {line}", markup=False, soft_wrap=True)
