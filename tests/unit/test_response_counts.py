"""Which tables a response analysis takes from a ledger, and what it says about the rest."""

from typing import Any

import pytest

from ixa_bayes.formulas.two_by_two import fisher_exact_p
from ixa_bayes.inference.response_counts import SHOWN_AT_MOST, Counts, response_counts
from ixa_bayes.models.response_analysis import ResponseAnalysis

from .conftest import DEFINITION, StudyMaker

ANALYSIS = ResponseAnalysis.model_validate(
    {
        "kind": "response",
        "name": "toy",
        "title": "A toy",
        "endpoints": "binary",
        "priors": [{"name": "uniform", "mean": 0.5, "patients": 2, "meaning": "flat", "source": "a test"}],
    }
)
N = {"endpoint": "patients", "kind": "count"}
RATE = {"endpoint": "response", "kind": "percent"}
COUNTED = {"endpoint": "toxicity", "kind": "count"}
FEMALE = {"factor": "sex", "level": "female"}
MALE = {"factor": "sex", "level": "male"}
WHOLE = (
    N | {"count": "126"},
    {"endpoint": "had_scan", "kind": "count", "count": "122"},
    RATE | {"value": "52.5", "count": "64"},
    N | FEMALE | {"count": "41"},
)
ADJUDICATION = """
[[adjudications]]
row = "row_5"
field = "value"
used = "63.1"
reason = "only 53 of 84 completes the table"
"""


def _by_subject(found: list[Counts], factor: str, *, basis: str = "used") -> Counts:
    (only,) = [counts for counts in found if counts.factor == factor and counts.basis == basis]
    return only


def _cells(counts: Counts) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(candidate.responders, candidate.evaluable) for _, candidate in counts.candidates]


def _sexes(make_study: StudyMaker, male: str, *more: dict[str, str], **options: Any) -> list[Counts]:
    rows = (*WHOLE, RATE | FEMALE | {"value": "28.9"}, RATE | MALE | {"value": male}, *more)
    return response_counts(make_study(*rows, **options), ANALYSIS)


def test_a_whole_population_and_a_table(make_study: StudyMaker) -> None:
    found = _sexes(make_study, "63.1")
    whole, table = _by_subject(found, ""), _by_subject(found, "sex")
    assert (whole.levels, _cells(whole)) == (("",), [((64,), (122,))])
    assert (table.status, table.levels) == ("unique", ("female", "male"))
    assert _cells(table) == [((11, 53), (38, 84))]
    assert len(found) == 2


def test_an_impossible_table_is_listed_with_what_would_fit(make_study: StudyMaker) -> None:
    table = _by_subject(_sexes(make_study, "61.1"), "sex")
    assert table.status == "impossible"
    assert table.candidates == ()
    assert "row_5 prints 61.1, 53/84 = 63.1% would fit" in table.note


def test_adjudicated_and_printed_are_both_there(make_study: StudyMaker) -> None:
    found = _sexes(make_study, "61.1", definition=DEFINITION + ADJUDICATION)
    used = _by_subject(found, "sex")
    assert _cells(used) == [((11, 53), (38, 84))]
    assert used.note == "row_5 prints 61.1, 63.1 is used: only 53 of 84 completes the table"
    assert _by_subject(found, "sex", basis="as_printed").status == "impossible"
    assert not [counts for counts in found if counts.factor == "" and counts.basis == "as_printed"]


def test_a_level_without_patients_is_shown_as_such(make_study: StudyMaker) -> None:
    study = make_study(
        N | {"count": "10"},
        COUNTED | {"count": "4"},
        N | FEMALE | {"count": "10"},
        COUNTED | FEMALE | {"count": "4"},
    )
    assert _cells(_by_subject(response_counts(study, ANALYSIS), "sex")) == [((4, 0), (10, 0))]


def test_sizes_and_percentages_leave_one_table(make_study: StudyMaker) -> None:
    study = make_study(
        N | {"count": "30"},
        RATE | {"endpoint": "toxicity", "value": "50"},
        N | FEMALE | {"count": "10"},
        RATE | FEMALE | {"endpoint": "toxicity", "value": "40"},
        RATE | MALE | {"endpoint": "toxicity", "value": "55"},
    )
    table = _by_subject(response_counts(study, ANALYSIS), "sex")
    assert table.status == "unique"
    assert _cells(table) == [((4, 11), (10, 20))]


@pytest.fixture
def several(make_study: StudyMaker) -> Any:
    def make(*more: dict[str, str]) -> Counts:
        study = make_study(
            N | {"count": "60"},
            RATE | {"endpoint": "toxicity", "value": "50", "count": "30"},
            {"factor": "marker", "level": "yes", "endpoint": "toxicity", "kind": "percent", "value": "67"},
            {"factor": "marker", "level": "no", "endpoint": "toxicity", "kind": "percent", "value": "33"},
            *more,
        )
        return _by_subject(response_counts(study, ANALYSIS), "marker")

    return make


def test_many_tables_are_shown_by_their_ends(several: Any) -> None:
    table = several()
    assert table.status == "several"
    assert table.n_candidates > SHOWN_AT_MOST >= len(table.candidates) > 1
    assert f"{table.n_candidates} tables agree with the print" in table.note
    assert "none is preferred" in table.note
    assert all(all(candidate.evaluable) for _, candidate in table.candidates)


def test_a_printed_p_decides_where_it_can(several: Any) -> None:
    p = {"factor": "marker", "level": "yes", "comparator": "no", "endpoint": "toxicity", "kind": "p_value"}
    without, with_p = several(), several(p | {"p": f"{float(fisher_exact_p(20, 30, 10, 30)):.4f}"})
    assert with_p.n_candidates < without.n_candidates
    assert f"p value decides between {without.n_candidates} tables" in with_p.note
    assert "p value decides" not in without.note


SUMS = """
[endpoints.complete]
label = "Complete"
kind = "binary"
[endpoints.partial]
label = "Partial"
kind = "binary"
[endpoints.any]
label = "Complete or partial"
kind = "binary"
components = ["complete", "partial"]
"""


def test_sums_of_disjoint_components_are_counted(make_study: StudyMaker) -> None:
    study = make_study(
        N | {"count": "40"},
        {"endpoint": "complete", "kind": "count", "count": "4"},
        {"endpoint": "partial", "kind": "count", "count": "7"},
        definition=DEFINITION + SUMS,
    )
    by_endpoint = {counts.endpoint: counts for counts in response_counts(study, ANALYSIS)}
    assert _cells(by_endpoint["any"]) == [((11,), (40,))]
    assert set(by_endpoint["any"].ledger_rows) >= {"row_1", "row_2"}


POPULATIONS = """
[populations.women]
label = "Women"
parent = "all"
factor = "sex"
level = "female"
[populations.men]
label = "Men"
parent = "all"
factor = "sex"
level = "male"
"""


def test_populations_that_are_levels_of_one_factor_form_a_table(make_study: StudyMaker) -> None:
    study = make_study(
        N | {"count": "30"},
        {"population": "women", "endpoint": "toxicity", "kind": "count", "count": "4", "denominator": "10"},
        {"population": "men", "endpoint": "toxicity", "kind": "count", "count": "11", "denominator": "20"},
        definition=DEFINITION + POPULATIONS,
    )
    table = _by_subject(response_counts(study, ANALYSIS), "sex")
    assert (table.population, table.levels) == ("all", ("female", "male"))
    assert _cells(table) == [((4, 11), (10, 20))]


def test_only_the_endpoints_asked_for(make_study: StudyMaker) -> None:
    study = make_study(*WHOLE, {"endpoint": "toxicity", "kind": "count", "count": "9"})
    named = ANALYSIS.model_copy(update={"endpoints": ("toxicity",)})
    assert {counts.endpoint for counts in response_counts(study, named)} == {"toxicity"}
    absent = ANALYSIS.model_copy(update={"endpoints": ("orr",)})
    assert response_counts(study, absent) == []


def test_a_count_of_several_readings_is_no_rate(make_study: StudyMaker) -> None:
    unclear = COUNTED | {"count": "2", "reading": "ambiguous", "note": "all of them, or those of two causes"}
    (alone,) = [c for c in response_counts(make_study(*WHOLE, unclear), ANALYSIS) if c.endpoint == "toxicity"]
    assert (alone.status, alone.candidates) == ("ambiguous", ())
    assert "more than one reading" in alone.note
    assert "two causes" in alone.note
    clear = COUNTED | {"count": "2", "location": "abstract"}
    (both,) = [c for c in response_counts(make_study(*WHOLE, unclear, clear), ANALYSIS) if c.endpoint == "toxicity"]
    assert _cells(both) == [((2,), (126,))]
