"""The command line: arguments in, exit codes out; no statistics.

Heavy imports stand inside the commands, so that ``--help`` answers at once.
"""

import sys
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, signal
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from ixa_bayes import __version__
from ixa_bayes.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    import pandas as pd

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


@app.command("list", epilog="Example: ixa-bayes list")
def list_builtin() -> None:
    """Show the built-in studies, cohorts and models."""
    from ixa_bayes.study.locate import builtin_names, builtin_root

    out.print(f"Built in, at {builtin_root()}:")
    out.print(f"  studies  {', '.join(builtin_names('study')) or 'none'}", soft_wrap=True)
    out.print(f"  cohorts  {', '.join(builtin_names('cohort')) or 'none'}", soft_wrap=True)
    out.print(f"  models   {', '.join(builtin_names('model')) or 'none'}", soft_wrap=True)
    out.print("Your own: ixa-bayes new-study, new-cohort, new-model", soft_wrap=True)


@app.command("new-study", epilog="Example: ixa-bayes new-study my_study")
def new_study(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to create.")],
    name: Annotated[str, typer.Option(help="Short name of the study; the folder's name if not given.")] = "",
    force: ForceOption = False,
) -> None:
    """Write an annotated template for a study of your own."""
    from ixa_bayes.study.template import write_template

    write_template(folder, name=name or folder.name, force=force)
    out.print(f"Wrote {folder}. Fill in study.toml and statistics.csv, then: ixa-bayes check-study {folder}")


@app.command("check-study", epilog="Example: ixa-bayes check-study my_study")
def check_study(study: StudyArgument) -> None:
    """Read a study and list every fault at once."""
    from ixa_bayes.models.analysis import models_for
    from ixa_bayes.study.audit.prints import counted
    from ixa_bayes.study.ledger import read_study
    from ixa_bayes.study.literature import check_literature

    found = read_study(study)
    definition = found.definition
    problems: list[Problem] = []
    literature: dict[str, int] = {}
    try:
        literature = check_literature(found.literature_folder)
    except InputError as error:
        problems += error.problems
    try:
        own = [model.path.name for model in models_for(found) if model.path.parent == found.folder / "models"]
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    out.print(
        f"{definition.title}: {counted(len(found.statistics), 'printed statistic')}, no fault found.",
        markup=False,
        soft_wrap=True,
    )
    out.print(f"  {found.folder}", markup=False)
    kinds = found.statistics["kind"].value_counts()
    out.print(f"  {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    parts = ("population", "factor", "endpoint", "adjudication")
    out.print(f"  {', '.join(counted(len(getattr(definition, f'{part}s')), part) for part in parts)}")
    rows = ", ".join(f"{counted(count, 'row')} in {name}" for name, count in literature.items())
    out.print(f"  literature: {rows or 'none is named in study.toml, so no prior comes from other studies'}")
    out.print(f"  models of its own: {', '.join(own) or 'none, so the built-in ones are used'}", markup=False)
    out.print(f"Next: ixa-bayes audit {study}", markup=False)


@app.command("new-cohort", epilog="Example: ixa-bayes new-cohort my_cohort")
def new_cohort(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to create.")],
    name: Annotated[str, typer.Option(help="Short name of the cohort; the folder's name if not given.")] = "",
    force: ForceOption = False,
) -> None:
    """Write an annotated template for patients of your own."""
    from ixa_bayes.cohort.template import write_cohort_template

    write_cohort_template(folder, name=name or folder.resolve().name, force=force)
    out.print(
        f"Wrote {folder}. Fill in patients.csv and cohort.toml, then: ixa-bayes check-cohort {folder}",
        markup=False,
        soft_wrap=True,
    )


@app.command("check-cohort", epilog="Example: ixa-bayes check-cohort example_cohort")
def check_cohort(
    cohort: CohortArgument,
    show_ids: Annotated[bool, typer.Option("--show-ids", help="Name patients in messages.")] = False,
    show_small_cells: Annotated[
        bool, typer.Option("--show-small-cells", help="Show counts of real patients below 5 too.")
    ] = False,
) -> None:
    """Read patients and list every fault at once, or what the table holds."""
    from ixa_bayes.cohort.notes import notes_of
    from ixa_bayes.cohort.summary import n_patients, of_patients, summary_lines
    from ixa_bayes.cohort.table import read_cohort
    from ixa_bayes.crosscheck.kaplan_meier import median_follow_up

    found = read_cohort(cohort, show_ids=show_ids)
    medians = {}
    for endpoint, data in found.follow_up.items():
        patients = of_patients(data)
        time, event, entry, weight = (patients[name].to_numpy() for name in ("time", "event", "entry", "weight"))
        medians[endpoint] = median_follow_up(time, event, entry=entry, weight=weight).estimate
    rows, patients_told = len(found.covariates), f"{n_patients(found):,} patients"
    if found.title:
        out.print(found.title, markup=False, soft_wrap=True)
    out.print(f"{found.name}: {patients_told} ({found.evidence_kind}) in {rows:,} rows, no fault found.", markup=False)
    out.print(f"  {found.path}", markup=False, soft_wrap=True)
    for line in summary_lines(found, median_follow_up=medians, show_small_cells=show_small_cells):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    for line in notes_of(found, kept_back=found.evidence_kind == "patients" and not show_small_cells):
        out.print(f"Note: {line}", markup=False, soft_wrap=True)
    for line in _commands_to_fit(list(found.follow_up), list(found.covariates.columns), cohort):
        out.print(f"Next: {line}", markup=False, soft_wrap=True)


def _commands_to_fit(endpoints: list[str], covariates: list[str], cohort: str) -> list[str]:
    """How to fit the built-in model of each endpoint whose covariates the cohort has, or else a model of one's own."""
    from shlex import quote

    from ixa_bayes.models.analysis import analysis_from, read_model
    from ixa_bayes.models.survival_analysis import SurvivalAnalysis
    from ixa_bayes.study.locate import builtin_names

    models = []
    for name in (f"{endpoint}_weibull" for endpoint in endpoints):
        if name in builtin_names("model"):
            needed = analysis_from(read_model(name), SurvivalAnalysis).covariates
            if all(covariate.expression(key).column in covariates for key, covariate in needed.items()):
                models.append(name)
    if models:
        return [f"ixa-bayes fit {model} --cohort {quote(cohort)}" for model in models]
    own = f"my_model.toml --cohort {quote(cohort)}"
    return [f"ixa-bayes new-model {own}", f"ixa-bayes fit {own}"]


@app.command("new-model", epilog="Example: ixa-bayes new-model my_model.toml --cohort my_cohort --endpoint os")
def new_model(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to create, ending in .toml.")],
    cohort: Annotated[
        str, typer.Option(metavar="COHORT", help="The patients whose covariates the model gets.")
    ] = "example_cohort",
    endpoint: Annotated[str | None, typer.Option(help="The cohort's first one if not given.")] = None,
    force: ForceOption = False,
) -> None:
    """Write an annotated survival model with the covariates of a cohort."""
    from shlex import quote

    from ixa_bayes.cohort.table import read_cohort
    from ixa_bayes.models.template import write_model_template
    from ixa_bayes.study.audit.prints import counted

    n = write_model_template(file, cohort=read_cohort(cohort), endpoint=endpoint, force=force)
    out.print(
        f"Wrote {file} with {counted(n, 'covariate')} of {cohort}. State its priors and remove what the question does "
        f"not need, then: ixa-bayes fit {quote(str(file))} --cohort {quote(cohort)}",
        markup=False,
        soft_wrap=True,
    )


@app.command(epilog="Example: ixa-bayes audit zhou2026")
def audit(
    study: StudyArgument = DEFAULT_STUDY,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the findings to this CSV file.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Find what does not agree in a paper's printed numbers."""
    from ixa_bayes.files import check_free, write_text
    from ixa_bayes.study.audit import audit as find
    from ixa_bayes.study.ledger import read_study

    if output is not None:
        check_free(output, force=force)
    read = read_study(study)
    findings = find(read)
    _print_findings(findings, lines=read.statistics["line"])
    if output is not None:
        write_text(output, findings.to_csv(index=False, lineterminator="\n"), force=force)
        out.print(f"Wrote {output}", markup=False)


@app.command(epilog="Example: ixa-bayes reanalyse zhou2026 --output results/zhou2026")
def reanalyse(
    study: StudyArgument,
    output: OutputOption = None,
    seed: SeedOption = DEFAULT_SEED,
    force: ForceOption = False,
) -> None:
    """Audit and reanalyse a study's printed results, ending in one page to read."""
    with _progress() as progress:
        from ixa_bayes.report.run import reanalyse as run  # takes seconds, in which a user may change their mind

        outcome = run(
            study,
            output=output or Path("results") / Path(study).resolve().name,
            seed=seed,
            force=force,
            progress=progress,
        )
    _print_outcome(outcome.headlines, outcome.not_converged, unchanged=outcome.unchanged)
    out.print(f"Report: {outcome.report}", markup=False, soft_wrap=True)
    if outcome.not_converged:
        raise typer.Exit(NOT_CONVERGED)


@app.command(epilog="Example: ixa-bayes fit pfs_weibull --cohort example_cohort --output results/example")
def fit(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file of kind survival, or a built-in name.")],
    cohort: Annotated[str, typer.Option(metavar="COHORT", help="A table of patients, its folder, or a built-in name.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write, replaced as a whole; results/MODEL_COHORT if not given."),
    ] = None,
    seed: SeedOption = DEFAULT_SEED,
    force: ForceOption = False,
    allow_unconverged: Annotated[
        bool, typer.Option("--allow-unconverged", help="Exit with 0 although the posterior did not converge.")
    ] = False,
    show_small_cells: Annotated[
        bool, typer.Option("--show-small-cells", help="Tell numbers of real patients below 5 too.")
    ] = False,
) -> None:
    """Fit a survival model to a table of patients."""
    with _progress() as progress:
        from ixa_bayes.report.fit.run import REPORT, ask, implied_lines, write_fit  # takes seconds

        asked = ask(model, cohort, seed=seed)
        for line in implied_lines(asked, show_small_cells=show_small_cells):
            out.print(line, markup=False, soft_wrap=True)
        outcome = write_fit(
            asked,
            output=output or Path("results") / f"{Path(model).stem}_{asked.question.cohort.name}",
            seed=seed,
            force=force,
            show_small_cells=show_small_cells,
            progress=progress,
        )
    _print_outcome(outcome.headlines, outcome.not_converged, unchanged=outcome.unchanged)
    if outcome.patient_level is not None:
        private = f"Rows of patients: {outcome.patient_level} (keep it as safe as the cohort)"
        out.print(private, markup=False, soft_wrap=True)
    out.print(f"Report: {outcome.folder / REPORT}", markup=False, soft_wrap=True)
    if outcome.not_converged and not allow_unconverged:
        raise typer.Exit(NOT_CONVERGED)


@app.command(epilog="Example: ixa-bayes calibrate results/example")
def calibrate(
    fitted: FitArgument,
    cohort: FitCohortOption = None,
    replicates: Annotated[
        int, typer.Option(help="Simulated cohorts; each takes about as long as a fit without its compilation.", min=20)
    ] = 100,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder to write, replaced as a whole; FIT/calibration if not given."),
    ] = None,
    seed: SeedOption = DEFAULT_SEED,
    force: ForceOption = False,
    jobs: Annotated[
        int, typer.Option(help="Refits at a time, -1 for one a core; the result is the same for any number.", min=-1)
    ] = 1,
) -> None:
    """Check by simulation that the posteriors of a fit's model are right for cohorts like its own."""
    with _progress() as progress:
        from ixa_bayes.report.fit.calibration import TABLE, write_calibration  # takes seconds

        outcome = write_calibration(
            fitted,
            cohort=cohort,
            output=output,
            replicates=replicates,
            seed=seed,
            force=force,
            jobs=jobs,
            progress=progress,
        )
    _print_outcome(outcome.headlines, [], unchanged=outcome.unchanged)
    for line in outcome.rejected:
        err.print(f"Rejected: {line}", markup=False, soft_wrap=True)
    out.print(f"Table: {outcome.folder / TABLE}", markup=False, soft_wrap=True)
    if outcome.rejected:
        raise typer.Exit(REJECTED)


@app.command(epilog="Example: ixa-bayes compare results/weibull results/piecewise")
def compare(
    fitted: Annotated[list[Path], typer.Argument(metavar="FIT FIT", help="Folders of results of ixa-bayes fit.")],
    cohort: FitCohortOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Also write the comparison to this CSV file.")
    ] = None,
    force: ForceOption = False,
) -> None:
    """Say which of several fits predicts patients like these better, one patient left out at a time."""
    from ixa_bayes.files import check_free, write_text

    if output is not None:
        check_free(output, force=force)
    from ixa_bayes.report.fit.comparison import compare_folders, comparison_lines  # takes seconds

    table = compare_folders(fitted, cohort=cohort)
    for line in comparison_lines(table):
        out.print(line, markup=False, soft_wrap=True)
    if output is not None:
        write_text(output, table.to_csv(index=False, lineterminator="\n"), force=force)
        out.print(f"Wrote {output}", markup=False, soft_wrap=True)


@contextmanager
def _progress() -> "Iterator[Callable[[str, int, int], None]]":
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


def _print_outcome(headlines: list[str], not_converged: list[str], *, unchanged: bool) -> None:
    if unchanged:
        out.print("Nothing has changed since the last run (--force computes again).")
    for line in headlines:
        out.print(line, markup=False, soft_wrap=True)
    for line in not_converged:
        err.print(f"Not converged: {line}", markup=False, soft_wrap=True)


def _print_findings(findings: "pd.DataFrame", *, lines: "pd.Series[int]") -> None:
    """Findings as text; ``lines`` says where in the ledger each row stands, so that it can be looked up."""
    from ixa_bayes.study.audit.prints import counted, listed

    counts = findings["severity"].value_counts(sort=False)
    told = ", ".join(f"{count} {str(severity).replace('_', ' ')}" for severity, count in counts.items())
    out.print(counted(len(findings), "finding") + (f": {told}" if told else ""))
    for row in findings.to_dict("records"):
        out.print(f"\n[bold]{row['severity'].replace('_', ' ').capitalize()}[/] [dim]{row['check']}[/]")
        out.print(Padding(Text(row["explanation"]), (0, 0, 0, 2), expand=False))
        for title in ("printed", "computed", "consequence"):
            if row[title]:
                out.print(Padding(Text(f"{title}: {row[title]}"), (0, 0, 0, 4), expand=False))
        rows = listed([f"{name} (line {lines[name]})" for name in row["ledger_rows"].split(";") if name])
        if rows:
            out.print(Padding(Text(f"rows: {rows}"), (0, 0, 0, 4), expand=False))


def main() -> None:
    """Run the command line; faults of the input end with exit code 2."""
    try:
        app()
    except InputError as error:
        err.print(str(error), markup=False, soft_wrap=True, style="red")
        sys.exit(BAD_INPUT)
