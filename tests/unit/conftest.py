from collections.abc import Callable
from pathlib import Path

import pytest

from ixa_bayes.study.ledger import Study, read_study
from ixa_bayes.study.ledger_rows import COLUMNS

DEFINITION = """
name = "toy"
title = "A toy study"
citation = "Nobody (2026)"
disease = "a disease"
design = "retrospective cohort"
time_unit = "months"
main_population = "all"
[populations.all]
label = "All patients"
[factors.sex]
label = "Sex"
levels = { female = "female", male = "male" }
[factors.stage]
label = "Stage"
levels = { one = "I", two = "II", three = "III" }
[factors.marker]
label = "Marker"
levels = { yes = "present", no = "absent" }
complete = false
[endpoints.had_scan]
label = "Scanned"
kind = "binary"
[endpoints.response]
label = "Response"
kind = "binary"
better = "higher"
evaluable = "had_scan"
[endpoints.toxicity]
label = "Toxicity"
kind = "binary"
better = "lower"
[endpoints.rfs]
label = "Relapse-free survival"
kind = "time_to_event"
better = "higher"
unit = "months"
"""

StudyMaker = Callable[..., Study]


@pytest.fixture
def make_study(tmp_path: Path) -> StudyMaker:
    """Write rows (dicts of printed strings) as a ledger and read them back."""

    def make(*rows: dict[str, str], definition: str = DEFINITION) -> Study:
        lines = [",".join(COLUMNS)]
        for index, row in enumerate(rows):
            cells = {"id": f"row_{index}", "location": "results", "population": "all"} | row
            lines.append(",".join(f'"{cells.get(column, "")}"' for column in COLUMNS))
        (tmp_path / "study.toml").write_text(definition, encoding="utf-8")
        (tmp_path / "statistics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return read_study(tmp_path)

    return make
