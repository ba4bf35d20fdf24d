"""A fit's folder of results: posterior, tables with a README.md that explains each column, figures and the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from ixa_bayes.crosscheck import curves, table
from ixa_bayes.inference.survival import power_scaling, tables
from ixa_bayes.inference.survival.file import PATIENT_LEVEL, POSTERIOR, save_fit
from ixa_bayes.report.fit.results import DIAGNOSTIC_COLUMNS, PATIENT_COLUMNS, FitResults
from ixa_bayes.report.wording import count_text

REPORT: Final = "report.html"
_IN_EVERY: Final[Mapping[str, str]] = {
    "evidence_kind": "what the numbers rest on: `patients`, `simulated`, `pseudo_cohort` or `digitised`",
    "ledger_rows": "printed statistics that they rest on: none, in a fit to patients",
}
_PRIOR: Final[Mapping[str, str]] = {
    "estimand": "median, survival, hazard_ratio or, of an effect that changes over time, hazard_ratio_change",
    "population": "whose quantity it is: `reference_profile`, `cohort` (average over its patients), or `each`",
    "factor": "the covariate of a hazard ratio",
    "level": "its level, against the comparator",
    "comparator": "the level, or the step of a continuous covariate, that a ratio compares with",
    "time": "months, of a survival",
    "unit": "months, probability or ratio",
    "median": "median of the prior distribution",
    "q025": "lower end of its 95% equal-tailed interval",
    "q975": "upper end of its 95% equal-tailed interval",
}
_CURVES: Final[Mapping[str, str]] = {
    "factor": "the covariate; empty for all patients",
    "level": "the patients at this level of it, `not known` where both values are summed",
}
_EXPLAINED: Final[Mapping[str, Mapping[str, str]]] = {
    "estimands": tables.COLUMNS,
    "sensitivity": power_scaling.COLUMNS,
    "crosscheck": table.COLUMNS,
    "curves": {**_CURVES, **curves.COLUMNS},
    "patients": PATIENT_COLUMNS,
    "diagnostics": DIAGNOSTIC_COLUMNS,
    "prior": _PRIOR,
}


def tables_of(results: FitResults) -> dict[str, pd.DataFrame]:
    """Every table of a fit by the name of its file."""
    return {
        "estimands": results.estimands,
        "sensitivity": results.sensitivity,
        "crosscheck": results.crosscheck,
        "curves": results.curves,
        "patients": results.patients,
        "diagnostics": results.diagnostics,
        "prior": results.implied,
    }


def explain(name: str, column: str) -> str:
    """One line on a column of a table.

    Raises
    ------
    KeyError
        If it has no explanation: a table must not carry a column that its reader cannot look up.
    """
    if column in _EXPLAINED[name]:
        return _EXPLAINED[name][column]
    if column in _IN_EVERY:
        return _IN_EVERY[column]
    if column.startswith("p_gt_"):
        return f"probability that a ratio exceeds {column.removeprefix('p_gt_').replace('_', '.')}"
    if column == "p_practically_equal":
        return "probability that a ratio lies between the model file's two limits of practical equivalence"
    raise KeyError(f"column {column!r} of {name}.csv is not explained in report/fit/files.py")


def write_fit_files(results: FitResults, folder: Path) -> None:
    """Write the posterior, the tables, their README.md, the figures and the page.

    Parameters
    ----------
    results : FitResults
    folder : Path
        Exists; only ``patient_level.nc`` holds rows of patients.
    """
    from ixa_bayes.report.fit.figures import draw_fit  # here, because a run that finds nothing changed draws nothing
    from ixa_bayes.report.fit.page import render_fit_page

    save_fit(results.fit, folder)
    for name, frame in tables_of(results).items():
        frame.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    (folder / "README.md").write_text(readme(results), encoding="utf-8")
    figures = draw_fit(results)
    (folder / "figures").mkdir()
    for drawn in figures:
        (folder / "figures" / f"{drawn.figure.name}.svg").write_text(drawn.svg, encoding="utf-8")
        (folder / "figures" / f"{drawn.figure.name}.png").write_bytes(drawn.png)
    (folder / REPORT).write_text(render_fit_page(results, figures), encoding="utf-8")


def readme(results: FitResults) -> str:
    """What each file of a fit holds, and what each column means."""
    lines = [
        f"# {results.provenance.subject}",
        "",
        f"`{REPORT}` shows everything; the tables hold its numbers in full precision.",
        f"`{POSTERIOR}` holds the draws and no row of a patient; `{PATIENT_LEVEL}` holds what is said of each patient "
        "and is to be kept as safe as the cohort itself.",
        "",
    ]
    for name, frame in tables_of(results).items():
        lines += [f"## {name}.csv", "", f"{count_text(len(frame), 'row')}.", "", "| column | meaning |", "|---|---|"]
        lines += [f"| `{column}` | {explain(name, str(column))} |" for column in frame.columns]
        lines.append("")
    return "\n".join(lines)
