"""The table of routes as the page shows it."""

import math

import pandas as pd
import pytest

from ixa_bayes.inference.effect_routes import EXTRACTION_COLUMNS
from ixa_bayes.report.display import Ledger
from ixa_bayes.report.extraction_tables import extraction_table, widest_spread
from ixa_bayes.report.tables import explain
from ixa_bayes.report.wording import Labels
from ixa_bayes.study.ledger import Study

from .conftest import StudyMaker

SHARED = {
    "endpoint": "rfs",
    "population": "all",
    "factor": "sex",
    "level": "female",
    "comparator": "male",
    "ledger_rows": "row_0",
    "evidence_kind": "published_effect",
    "se_lowest": math.nan,
    "se_highest": math.nan,
    "log_hr_mcse": 0.0,
    "se_mcse": 0.0,
    "why_not": "",
    "assumptions": "something",
    "applicable": True,
}
INTERVAL = SHARED | {
    "source": "multivariable",
    "printed": "HR 2.00 (95% CI 1.00 to 4.00), p 0.05",
    "route": "confidence_interval",
    "hr": 2.0,
    "lower": 1.0,
    "upper": 4.0,
    "log_hr": math.log(2),
    "se": 0.3536,
    "se_lowest": 0.352,
    "se_highest": 0.355,
    "hr_spread": 1.0,
    "se_spread": 1.3,
}
SIMULATED = INTERVAL | {
    "source": "log_rank",
    "printed": "log-rank p = 0.01",
    "route": "calibrated_at_end",
    "hr": 2.468,
    "log_hr_mcse": 0.01,
    "se_mcse": 0.01,
    "se_lowest": math.nan,
    "se_highest": math.nan,
    "hr_spread": 1.512,
}
REFUSED = SIMULATED | {
    "route": "medians",
    **dict.fromkeys(("hr", "lower", "upper", "log_hr", "se"), math.nan),
    "applicable": False,
    "why_not": "a median is not reached",
    "assumptions": "",
}


@pytest.fixture
def study(make_study: StudyMaker) -> Study:
    return make_study({"endpoint": "patients", "kind": "count", "count": "126"})


def test_each_print_is_a_block_with_its_routes_and_their_spread(study: Study) -> None:
    frame = pd.DataFrame([INTERVAL, SIMULATED, REFUSED], columns=EXTRACTION_COLUMNS)
    table = extraction_table(frame, Labels(study.definition), Ledger(study.statistics))
    (first, printed), (second, of_p) = table.groups
    assert first.endswith("p 0.05 – standard errors differ by a factor of 1.30")
    assert "multivariable" in first
    assert second.endswith("log-rank p = 0.01 – hazard ratios differ by a factor of 1.5")
    assert printed[0].cells[1:3] == ("2.00 (1.00 to 4.00)", "0.354 (print allows 0.352 to 0.355)")
    assert printed[0].links[0].row == "row_0"
    assert of_p[0].cells[1].startswith("2.5 (")  # a Monte Carlo error of 0.025 supports no more digits
    assert of_p[1].cells == ("ratio of medians, for comparison", "–", "–", "a median is not reached")
    assert table.wordy
    assert table.file == "tables/extraction.csv"


def test_only_log_rank_routes_enter_the_widest_spread() -> None:
    frame = pd.DataFrame([INTERVAL | {"hr_spread": 9.0}, SIMULATED])
    assert widest_spread(frame) == "1.5"
    assert widest_spread(frame.iloc[:1]) == ""
    assert widest_spread(frame.assign(hr_spread=1.02)) == ""  # "differ by a factor of 1.0" would say nothing
    assert widest_spread(frame.assign(hr_spread=math.nan)) == ""


def test_a_route_without_words_is_still_named(study: Study) -> None:
    frame = pd.DataFrame([SIMULATED | {"route": "a_new_route", "hr_spread": math.nan}], columns=EXTRACTION_COLUMNS)
    table = extraction_table(frame, Labels(study.definition), Ledger(study.statistics))
    assert table.rows[0].cells[0] == "a new route"
    assert table.groups[0][0].endswith("printed: log-rank p = 0.01")


def test_every_column_is_explained() -> None:
    assert all(explain(column) for column in EXTRACTION_COLUMNS)
