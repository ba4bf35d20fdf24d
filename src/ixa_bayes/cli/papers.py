"""Commands that begin with what a paper prints, and the list of what is built in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from ixa_bayes.cli.terminal import (
    DEFAULT_SEED,
    DEFAULT_STUDY,
    NOT_CONVERGED,
    ForceOption,
    OutputOption,
    SeedOption,
    StudyArgument,
    app,
    out,
    print_outcome,
    progress_bar,
)
from ixa_bayes.errors import InputError, Problem

if TYPE_CHECKING:
    import pandas as pd


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
    with progress_bar() as progress:
        from ixa_bayes.report.run import reanalyse as run  # takes seconds, in which a user may change their mind

        outcome = run(
            study,
            output=output or Path("results") / Path(study).resolve().name,
            seed=seed,
            force=force,
            progress=progress,
        )
    print_outcome(outcome.headlines, outcome.not_converged, unchanged=outcome.unchanged)
    out.print(f"Report: {outcome.report}", markup=False, soft_wrap=True)
    if outcome.not_converged:
        raise typer.Exit(NOT_CONVERGED)


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
