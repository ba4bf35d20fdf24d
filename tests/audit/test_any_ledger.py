"""Whatever a readable ledger holds, the audit ends with a table."""

import random
from pathlib import Path

import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.study.audit import AUDIT_COLUMNS, audit
from ixa_bayes.study.ledger import Study, read_study
from ixa_bayes.study.ledger_rows import ADJUSTMENTS, CLAIMS, COLUMNS, INTERVALS, KINDS

from .test_checks import DEFINITION

NUMBERS = ("0", "0.0", "0.00", "1", "1.00", "5", "33", "33.3", "99.9", "100", "2.11", "140.80", "not reached", "1e-5")
P_VALUES = ("0", "0.000", "1", "1.00", "0.05", "<0.001", ">0.05", "NS", "0.051", ">=0.05", "<1", ">0.99")
COUNTS = ("0", "1", "5", "20", "50", "126")
LEVELS = {"season": ("spring", "summer", "autumn"), "atopy": ("yes", "no"), "eczema": ("yes", "no")}
ENDPOINTS = ("patients", "exacerbation", "admission", "scored", "time_to_relapse", "fev1")
RICHER = (
    DEFINITION.replace('autumn = "autumn" }', 'autumn = "autumn" }\ncomplete = false')
    .replace("[factors.season]", '[populations.sub]\nlabel = "Sub"\nparent = "all"\n[factors.season]', 1)
    .replace(
        "[endpoints.exacerbation]", '[endpoints.scored]\nlabel = "Scored"\nkind = "binary"\n[endpoints.exacerbation]'
    )
    .replace('label = "Exacerbation"', 'label = "Exacerbation"\nevaluable = "scored"\ncomponents = ["admission"]')
)


def _cell(column: str, kind: str, rng: random.Random) -> str:
    wanted = column in KINDS[kind]
    if column in ("value", "lower", "upper"):
        return rng.choice(NUMBERS) if wanted or rng.random() < 0.4 else ""
    if column in ("count", "denominator"):
        return rng.choice(COUNTS) if wanted or rng.random() < 0.4 else ""
    if column == "p":
        return rng.choice(P_VALUES) if wanted or rng.random() < 0.4 else ""
    return {"time": "12", "adjustment": rng.choice(ADJUSTMENTS)}.get(column, "") if wanted else ""


def _row(name: str, rng: random.Random) -> dict[str, str]:
    kind = rng.choice(list(KINDS))
    row = {column: _cell(column, kind, rng) for column in COLUMNS}
    factor = rng.choice(["", *LEVELS])
    row |= {"id": name, "location": rng.choice(["abstract", "results"]), "population": rng.choice(["all", "sub"])}
    row |= {"kind": kind, "endpoint": rng.choice(ENDPOINTS), "factor": factor}
    if factor:
        row |= {"level": rng.choice(LEVELS[factor]), "comparator": rng.choice(["", *LEVELS[factor]])}
    if row["lower"] or row["upper"]:
        row["interval"] = rng.choice(INTERVALS)
    return row | {"claim": rng.choice(["", *CLAIMS])}


def _study(folder: Path, rng: random.Random) -> Study:
    """A readable ledger: rows that the reader refuses are left out, as their author would have to."""
    rows = [_row(f"row_{index}", rng) for index in range(60)]
    (folder / "study.toml").write_text(RICHER, encoding="utf-8")
    while True:
        lines = [",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in rows)]
        (folder / "statistics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        try:
            return read_study(folder)
        except InputError as error:
            refused = {int(problem.where.split("line ")[1].split(",")[0]) - 2 for problem in error.problems}
            rows = [row for index, row in enumerate(rows) if index not in refused]


@pytest.mark.parametrize("seed", range(16))
def test_any_readable_ledger_is_audited(tmp_path: Path, seed: int) -> None:
    study = _study(tmp_path, random.Random(seed))  # noqa: S311  # no secrets here
    findings = audit(study)
    assert list(findings.columns) == list(AUDIT_COLUMNS)
    assert findings["finding_id"].is_unique
    rows = {row for rows in findings["ledger_rows"] for row in rows.split(";")}
    assert rows <= set(study.statistics["id"])
