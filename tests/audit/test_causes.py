"""One misprint, of a number of patients or of a value, is told once with all that follows; two are told apart."""

import pytest

from ixa_bayes.study.audit import Finding, audit
from ixa_bayes.study.audit.causes import joined_by_cause
from ixa_bayes.study.audit.prints import Prints
from ixa_bayes.study.ledger import records

from .test_checks import SIZE, Make, N, _n, make

__all__ = ["make"]

Rows = list[dict[str, str]]


def _percent(r: int, n: int) -> str:
    return f"{100 * r / n:.1f}"


def _rates(endpoint: str, *, yes: tuple[int, int], no: tuple[int, int], factor: str = "atopy") -> Rows:
    whole = yes[0] + no[0], yes[1] + no[1]
    groups: dict[str, tuple[int, int]] = {"": whole, "yes": yes, "no": no}
    return [
        {"endpoint": endpoint, "kind": "percent", "value": _percent(*cells)}
        | ({"factor": factor, "level": level} if level else {})
        for level, cells in groups.items()
    ]


RATES = [
    *_rates("exacerbation", yes=(11, 41), no=(53, 85)),
    *_rates("admission", yes=(5, 41), no=(20, 85)),
]
YES, NO = _n("atopy", "yes", 41), _n("atopy", "no", 85)
SIZES = [SIZE, YES, NO]


def _contradictions(make: Make, rows: Rows) -> list[dict[str, str]]:
    findings = audit(make(*rows))
    return records(findings[findings["severity"].eq("contradiction")])


def test_without_a_fault_there_is_nothing_to_join(make: Make) -> None:
    assert _contradictions(make, [*SIZES, *RATES]) == []


@pytest.mark.parametrize(
    ("wrong", "row", "cause"),
    [
        ([SIZE, YES | {"count": "14"}], "row_1", "41 in place of 14 (row_1)"),
        ([SIZE, YES | {"count": "14"}, NO], "row_1", "41 in place of 14 (row_1)"),
        ([SIZE, YES | {"count": "14"}, YES | {"count": "14"}, NO], "row_1", "41 in place of 14 (row_1)"),
        ([SIZE, YES, YES | {"count": "14"}, NO], "row_2", "41 in place of 14 (row_2)"),
        ([SIZE | {"count": "162"}, YES, NO], "row_0", "126 in place of 162 (row_0)"),
    ],
    ids=["one level", "one of two levels", "printed twice", "beside the right one", "the population"],
)
def test_a_wrong_size_is_one_finding_with_what_follows(make: Make, wrong: Rows, row: str, cause: str) -> None:
    (finding,) = _contradictions(make, [*wrong, *RATES])
    assert finding["ledger_rows"].split(";")[0] == row
    assert f"{cause} would agree with everything else" in finding["computed"]
    assert "no single" not in finding["computed"]
    assert "Exacerbation" in finding["explanation"]
    assert "Admission" in finding["explanation"]
    assert "contradictions" in finding["explanation"]
    assert set(finding["ledger_rows"].split(";")) >= {f"row_{len(wrong) + index}" for index in range(6)}


def test_a_wrong_size_of_nested_groups_is_one_finding(make: Make) -> None:
    inner = _n("eczema", "yes", 21)
    (finding,) = _contradictions(make, [SIZE, inner, YES | {"count": "14"}, *RATES])
    assert "41 in place of 14 (row_2)" in finding["computed"]
    assert "of which they are a part" in finding["explanation"]


def test_two_wrong_sizes_are_two_findings(make: Make) -> None:
    more = _rates("exacerbation", yes=(4, 21), no=(60, 105), factor="eczema")[1:]
    more += _rates("admission", yes=(9, 21), no=(16, 105), factor="eczema")[1:]
    wrong = [SIZE, YES | {"count": "44"}, _n("eczema", "yes", 12)]
    found = _contradictions(make, [*wrong, *RATES, *more])
    assert [finding["ledger_rows"].split(";")[0] for finding in found] == ["row_1", "row_2"]
    assert "41 in place of 44" in found[0]["computed"]
    assert "21 in place of 12" in found[1]["computed"]


def test_two_wrong_percentages_do_not_accuse_the_size(make: Make) -> None:
    typos = [{"endpoint": name, "kind": "percent", "value": value} for name, value in WRONG_RATES.items()]
    assert len(_contradictions(make, [SIZE, *typos])) == 2, "five other sizes would print both: no cause"
    right = [{"endpoint": "exacerbation", "kind": "percent", "factor": "season", "level": "spring", "value": "16.7"}]
    assert len(_contradictions(make, [SIZE, *typos, *right])) == 2


WRONG_RATES = {"exacerbation": "50.2", "admission": "19.6"}


def test_a_number_that_contradicts_something_else_is_no_cause(make: Make) -> None:
    """41 would mend both tables of the level printed as 14, but the other level is printed as 112."""
    rows = [SIZE, YES | {"count": "14"}, NO | {"count": "112"}, *RATES]
    found = _contradictions(make, rows)
    assert len(found) == 2, "one for each table, and none for each of their cells"
    assert "row_4: 3/14 = 21.4% or 4/14 = 28.6%; row_5: 69/112 = 61.6% or 70/112 = 62.5%" in found[0]["computed"]
    assert all("agree with everything else" not in finding["computed"] for finding in found)


@pytest.mark.parametrize(("brought", "told"), [((), 1), (("row_2",), 2)], ids=["none comes", "another comes"])
def test_a_number_that_brings_a_contradiction_is_no_cause(make: Make, brought: tuple[str, ...], told: int) -> None:
    def contradiction(row: str, name: str) -> Finding:
        words = {"printed": row, "computed": "", "explanation": name, "consequence": ""}
        return Finding(name, "contradiction", (row,), **words, mends={"row_1": frozenset({41})})

    found = [contradiction("row_1", "sizes"), contradiction("row_1", "rates")]
    prints = Prints(make(SIZE, YES | {"count": "14"}, NO))
    after = [contradiction(row, "sums") for row in brought]
    assert len(joined_by_cause(found, prints, check=lambda _: after)) == told


def test_group_sizes_stand_among_the_prints_of_a_table(make: Make) -> None:
    (finding,) = _contradictions(make, [SIZE, YES | {"count": "14"}, *RATES[:3]])
    assert finding["printed"] == "row_2 50.8%; row_3 26.8%; row_4 62.4%; row_0 126; row_1 14"
    assert finding["computed"] == "row_1: 41"
    assert finding["explanation"].endswith("It closes if one number of patients is replaced.")


def test_a_count_can_be_the_culprit(make: Make) -> None:
    whole = {"endpoint": "exacerbation", "kind": "count", "count": "46"}
    (finding,) = _contradictions(make, [SIZE, YES, whole, *RATES[1:3]])
    assert "row_2: 64" in finding["computed"]
    assert finding["ledger_rows"].split(";")[-2:] == ["row_0", "row_1"]


def test_a_wrong_component_is_one_finding_with_its_table(make: Make) -> None:
    count = N | {"endpoint": "exacerbation"}
    parts = [count | {"count": "64"}, count | {"count": "46", "location": "abstract"}]
    (finding,) = _contradictions(make, [SIZE, YES, *parts, *RATES[1:3]])
    assert "64 in place of 46 (row_3)" in finding["computed"]


RATE = {"endpoint": "exacerbation", "kind": "percent"}
WHOLE = N | {"endpoint": "exacerbation", "count": "64"}


def test_a_misprint_that_another_place_puts_right_is_one_finding(make: Make) -> None:
    (finding,) = _contradictions(make, [SIZE, WHOLE | RATE | {"value": "50.5"}, RATE | {"value": "50.8"}])
    assert finding["check"] == "counts_behind_percentages"
    assert finding["ledger_rows"].split(";")[0] == "row_1", "64 of 126 are 50.8%"
    assert finding["computed"].startswith("50.8 in place of 50.5 (row_1) would agree with everything else")
    assert "one print explains 2 contradictions" in finding["explanation"]
    assert "50.8 in" in finding["printed"]


def test_two_wrong_prints_of_one_value_are_told_apart(make: Make) -> None:
    found = _contradictions(make, [SIZE, WHOLE | RATE | {"value": "50.5"}, WHOLE | RATE | {"value": "50.3"}])
    assert len(found) == 3
    assert all("in place of" not in finding["computed"] for finding in found)


def test_two_prints_that_contradict_each_other_alone_stay_as_they_are(make: Make) -> None:
    (finding,) = _contradictions(make, [RATE | {"value": "50.5"}, RATE | {"value": "50.8"}])
    assert finding["computed"] == "no number rounds to all of them"
