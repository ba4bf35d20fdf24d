"""Commands that begin with a table of patients."""

from pathlib import Path
from typing import Annotated

import typer

from ixa_bayes.cli.terminal import (
    DEFAULT_SEED,
    NOT_CONVERGED,
    REJECTED,
    CohortArgument,
    FitArgument,
    FitCohortOption,
    ForceOption,
    SeedOption,
    app,
    err,
    out,
    print_outcome,
    progress_bar,
)


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
    with progress_bar() as progress:
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
    print_outcome(outcome.headlines, outcome.not_converged, unchanged=outcome.unchanged)
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
    with progress_bar() as progress:
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
    print_outcome(outcome.headlines, [], unchanged=outcome.unchanged)
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
