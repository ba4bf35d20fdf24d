"""Consistent papers raise no contradiction, chance alarms are rare, planted faults are found."""

from pathlib import Path

import pytest

from ixa_bayes.study.ledger import read_study
from ixa_bayes.study.ledger_rows import COLUMNS

from .conftest import TomlText
from .error_rates import (
    CLEAN_SEEDS,
    FULL,
    PLANTED_DETERMINISTIC,
    PLANTED_PROBABILISTIC,
    alarms_on_clean_papers,
    detection,
)
from .faults import DETERMINISTIC, Fault
from .probable_faults import PROBABILISTIC
from .synthetic import synthetic_paper

pytestmark = pytest.mark.calibration

MOST_ALARMS = 20 if FULL else 4
"""At most 20 in 2,000; of 80 papers more than 4 have a chance below 0.2% at that rate."""
SMALLEST_SHARE = 0.8 if FULL else 0.6
"""80% of 500; of 15 fewer than 9 have a chance below 2% at that rate."""


def test_consistent_papers_raise_no_contradiction_and_few_alarms() -> None:
    alarms = alarms_on_clean_papers(CLEAN_SEEDS)
    assert {check: count for (check, severity), count in alarms.items() if severity == "contradiction"} == {}
    assert {check: count for (check, _), count in alarms.items() if count > MOST_ALARMS} == {}


@pytest.mark.parametrize("fault", DETERMINISTIC, ids=lambda fault: fault.__name__)
def test_deterministic_fault_is_found_at_its_row(fault: Fault) -> None:
    result = detection(fault, wanted=PLANTED_DETERMINISTIC)
    assert result.planted == PLANTED_DETERMINISTIC
    assert result.missed == ()


@pytest.mark.parametrize("check", list(PROBABILISTIC))
def test_probabilistic_check_finds_faults_of_its_documented_size(check: str) -> None:
    result = detection(PROBABILISTIC[check], wanted=PLANTED_PROBABILISTIC)
    assert result.planted == PLANTED_PROBABILISTIC
    assert result.found >= SMALLEST_SHARE * result.planted, result.missed


def test_a_synthetic_paper_is_a_readable_study_folder(tmp_path: Path, toml_text: TomlText) -> None:
    paper = synthetic_paper(7)
    lines = [",".join(COLUMNS), *(",".join(f'"{row[column]}"' for column in COLUMNS) for row in paper.rows)]
    (tmp_path / "statistics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "study.toml").write_text(toml_text(paper.definition), encoding="utf-8")
    assert len(read_study(tmp_path).statistics) == len(paper.rows)
