"""Single checks against hand-worked cases, on studies outside oncology and with their own words."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ixa_bayes.study.audit as package
from ixa_bayes.study.audit import audit
from ixa_bayes.study.audit.information import nesting_inflation
from ixa_bayes.study.audit.log_rank import information
from ixa_bayes.study.audit.prints import Prints
from ixa_bayes.study.audit.ranges import extreme_of_normal
from ixa_bayes.study.audit.ratios import ratio_box
from ixa_bayes.study.effects import Comparison
from ixa_bayes.study.ledger import Study, read_study
from ixa_bayes.study.ledger_rows import COLUMNS

DEFINITION = """
name = "asthma"
title = "A study of asthma"
citation = "Nobody (2026)"
disease = "asthma"
design = "retrospective cohort"
time_unit = "weeks"
main_population = "all"
[populations.all]
label = "All children"
[factors.season]
label = "Season"
levels = { spring = "spring", summer = "summer", autumn = "autumn" }
[factors.atopy]
label = "Atopy"
levels = { yes = "atopy", no = "no atopy" }
[factors.eczema]
label = "Eczema"
levels = { yes = "eczema", no = "no eczema" }
[factors.hay_fever]
label = "Hay fever"
levels = { yes = "hay fever", no = "no hay fever" }
[endpoints.exacerbation]
label = "Exacerbation"
kind = "binary"
better = "lower"
[endpoints.admission]
label = "Admission"
kind = "binary"
better = "lower"
within = ["exacerbation"]
[endpoints.time_to_relapse]
label = "Time to relapse"
kind = "time_to_event"
better = "higher"
unit = "weeks"
[endpoints.fev1]
label = "FEV1"
kind = "continuous"
better = "higher"
[[nesting]]
inner = { factor = "eczema", level = "yes" }
outer = { factor = "atopy", level = "yes" }
[[nesting]]
inner = { factor = "eczema", level = "yes" }
outer = { factor = "hay_fever", level = "yes" }
"""

Make = Callable[..., Study]
N = {"endpoint": "patients", "kind": "count"}
SIZE = N | {"count": "126"}
EVENTS = {"endpoint": "time_to_relapse", "kind": "events", "count": "42"}
HR = {
    "endpoint": "time_to_relapse",
    "kind": "hazard_ratio",
    "factor": "eczema",
    "level": "yes",
    "comparator": "no",
    "interval": "ci95",
    "adjustment": "multivariable",
}


def _n(factor: str, level: str, count: int) -> dict[str, str]:
    return N | {"factor": factor, "level": level, "count": str(count)}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(*rows: dict[str, str], definition: str = DEFINITION) -> Study:
        lines = [",".join(COLUMNS)]
        for index, row in enumerate(rows):
            cells = {"id": f"row_{index}", "location": "results", "population": "all"} | row
            lines.append(",".join(f'"{cells.get(column, "")}"' for column in COLUMNS))
        (tmp_path / "study.toml").write_text(definition, encoding="utf-8")
        (tmp_path / "statistics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return read_study(tmp_path)

    return write


def _of(findings: pd.DataFrame, check: str) -> pd.DataFrame:
    return findings[findings["check"].eq(check)]


def test_nothing_to_find_is_an_empty_table_with_its_columns(make: Make) -> None:
    findings = audit(make(SIZE))
    assert findings.empty
    assert list(findings.columns) == list(package.AUDIT_COLUMNS)


def test_fisher_of_three_levels(make: Make) -> None:
    rates = [
        {"endpoint": "exacerbation", "kind": "percent", "factor": "season", "level": level, "value": value}
        | {"count": count, "denominator": "10"}
        for level, value, count in (("spring", "10", "1"), ("summer", "50", "5"), ("autumn", "90", "9"))
    ]
    whole = {"endpoint": "exacerbation", "kind": "percent", "value": "50", "count": "15", "denominator": "30"}
    sizes = [N | {"count": "30"}, *(_n("season", level, 10) for level in ("spring", "summer", "autumn"))]
    p_row = {"endpoint": "exacerbation", "kind": "p_value", "factor": "season"}
    # Freeman-Halton by hand: tables (a, b, c) with a + b + c = 15 out of C(30, 15), weights C(10,a)C(10,b)C(10,c).
    weights = {
        (a, b, 15 - a - b): math.comb(10, a) * math.comb(10, b) * math.comb(10, 15 - a - b)
        for a in range(11)
        for b in range(11)
        if 0 <= 15 - a - b <= 10
    }
    p = sum(w for w in weights.values() if w <= weights[1, 5, 9]) / math.comb(30, 15)
    right = make(*sizes, whole, *rates, p_row | {"p": f"{p:.4f}"})
    assert _of(audit(right), "fisher_recomputed").empty
    wrong = _of(audit(make(*sizes, whole, *rates, p_row | {"p": "0.03"})), "fisher_recomputed")
    assert wrong["severity"].tolist() == ["contradiction"]
    assert f"{p:.3g}" in wrong["computed"].iloc[0]


def test_another_test_than_fisher_is_named_and_no_contradiction(make: Make) -> None:
    rates = [
        {"endpoint": "exacerbation", "kind": "percent", "factor": "atopy", "level": level, "value": value}
        | {"count": count, "denominator": n}
        for level, value, count, n in (("yes", "60", "12", "20"), ("no", "27", "8", "30"))
    ]
    sizes = [N | {"count": "50"}, _n("atopy", "yes", 20), _n("atopy", "no", 30)]
    whole = {"endpoint": "exacerbation", "kind": "count", "count": "20"}
    p_row = {"endpoint": "exacerbation", "kind": "p_value", "factor": "atopy", "level": "yes", "comparator": "no"}
    # Pearson: 50 (12*22 - 8*8)^2 / (20*30*20*30) = 5.556, p = 0.0184; Fisher p = 0.0377.
    findings = _of(audit(make(*sizes, whole, *rates, p_row | {"p": "0.018"})), "fisher_recomputed")
    assert findings["severity"].tolist() == ["note"]
    assert "chi-square test without continuity correction" in findings["explanation"].iloc[0]
    assert _of(audit(make(*sizes, whole, *rates, p_row | {"p": "0.038"})), "fisher_recomputed").empty


def test_subtraction_of_nested_groups(make: Make) -> None:
    rate = {"endpoint": "exacerbation", "kind": "count"}
    rows = [
        SIZE,
        rate | {"count": "50"},
        _n("eczema", "yes", 19),
        _n("atopy", "yes", 38),
        rate | {"factor": "eczema", "level": "yes", "count": "2"},
        rate | {"factor": "eczema", "level": "no", "count": "48"},
        rate | {"factor": "atopy", "level": "yes", "count": "11"},
        rate | {"factor": "atopy", "level": "no", "count": "39"},
    ]
    findings = _of(audit(make(*rows)), "nested_groups")
    assert findings["severity"].tolist() == ["note"]
    assert findings["computed"].iloc[0].startswith("9/19 = 47.4% in the rest")
    rows[4] |= {"count": "12"}
    rows[5] |= {"count": "38"}
    assert _of(audit(make(*rows)), "nested_groups")["severity"].tolist() == ["contradiction"]


def test_a_part_above_its_whole(make: Make) -> None:
    rows = [{"endpoint": "exacerbation", "kind": "count", "count": "5"}, {"endpoint": "admission", "kind": "count"}]
    assert _of(audit(make(SIZE, rows[0], rows[1] | {"count": "5"})), "nested_groups").empty
    findings = _of(audit(make(SIZE, rows[0], rows[1] | {"count": "6"})), "nested_groups")
    assert findings["severity"].tolist() == ["contradiction"]
    assert "Admission" in findings["explanation"].iloc[0]


INCLUDING = DEFINITION.replace(
    "[endpoints.fev1]",
    """[endpoints.survival]
label = "Survival"
kind = "time_to_event"
[endpoints.event_free]
label = "Event-free survival"
kind = "time_to_event"
includes = ["survival"]
[endpoints.fev1]""",
)


@pytest.mark.parametrize(
    ("deaths", "events", "found"),
    [
        ({"kind": "events", "count": "43"}, {"kind": "events", "count": "42"}, 1),
        ({"kind": "events", "count": "42"}, {"kind": "events", "count": "42"}, 0),
        ({"kind": "censored", "count": "83"}, {"kind": "events", "count": "42"}, 1),
        ({"kind": "events", "count": "43"}, {"kind": "censored", "count": "84"}, 1),
        ({"kind": "events", "count": "42"}, {"kind": "censored", "count": "84"}, 0),
    ],
)
@pytest.mark.parametrize("group", [{}, {"factor": "atopy", "level": "yes"}])
def test_deaths_above_the_events_that_include_them(
    make: Make, deaths: dict[str, str], events: dict[str, str], found: int, group: dict[str, str]
) -> None:
    sizes = [SIZE, _n("atopy", "yes", 126), _n("atopy", "no", 0)]
    rows = [deaths | group | {"endpoint": "survival"}, events | group | {"endpoint": "event_free"}]
    findings = _of(audit(make(*sizes, *rows, definition=INCLUDING)), "nested_groups")
    assert findings["severity"].tolist() == ["contradiction"] * found
    if found:
        assert "43 events are more than the 42 of Event-free survival" in findings["explanation"].iloc[0]
    unsaid = INCLUDING.replace('includes = ["survival"]\n', "")
    assert _of(audit(make(*sizes, *rows, definition=unsaid)), "nested_groups").empty


def test_an_inflation_is_told_only_where_it_is_worth_it(make: Make) -> None:
    sizes = [SIZE, EVENTS, _n("eczema", "yes", 21)]  # 42 * 21 * 105 / 126^2 = 5.8333
    for inflation, told in ((1.45, 0), (1.55, 1)):
        se = math.sqrt(inflation / 5.8333)
        limits = {"lower": f"{math.exp(-1.96 * se):.3f}", "upper": f"{math.exp(1.96 * se):.3f}"}
        assert len(_of(audit(make(*sizes, HR | {"value": "1.000"} | limits)), "variance_inflation")) == told


def test_standard_error_and_p_of_a_printed_interval(make: Make) -> None:
    study = make(SIZE, HR | {"value": "20.46", "lower": "2.97", "upper": "140.80", "p": "0.002"})
    box = ratio_box({str(key): str(value) for key, value in study.statistics.loc["row_1"].items()})
    assert box is not None
    low, high = box.standard_error
    assert low < (math.log(140.80) - math.log(2.97)) / (2 * 1.959964) < high
    assert box.p[0] < 0.00216 < box.p[1]  # z = 3.0186 / 0.98446 = 3.066
    assert _of(audit(study), "interval_and_p").empty
    gross = make(SIZE, HR | {"value": "20.46", "lower": "2.97", "upper": "140.80", "p": "0.2"})
    assert _of(audit(gross), "interval_and_p")["severity"].tolist() == ["contradiction"]
    mild = make(SIZE, HR | {"value": "20.46", "lower": "2.97", "upper": "140.80", "p": "0.010"})
    assert _of(audit(mild), "interval_and_p")["severity"].tolist() == ["implausible"]


def test_a_90_percent_interval_is_read_as_one(make: Make) -> None:
    # HR 2, SE 0.3: z = 2.31, p = 0.0209; the 90% interval is 1.22 to 3.28, the 95% interval 1.11 to 3.60.
    ninety = HR | {"value": "2.00", "lower": "1.22", "upper": "3.28", "p": "0.021", "interval": "ci90"}
    assert _of(audit(make(SIZE, ninety)), "interval_and_p").empty
    assert len(_of(audit(make(SIZE, ninety | {"interval": "ci95"})), "interval_and_p")) == 1


def test_information_of_a_log_rank_test() -> None:
    assert information(42, 21, 105, total=126) == pytest.approx(42 * 21 * 105 / 126**2)
    assert information(40, 30, 30, total=120) == pytest.approx(20 / 4)


def test_hazard_ratio_at_the_edge_of_an_inequality(make: Make) -> None:
    p_row = {"endpoint": "time_to_relapse", "kind": "p_value", "factor": "eczema", "level": "yes", "comparator": "no"}
    study = make(SIZE, EVENTS, _n("eczema", "yes", 21), p_row | {"p": "<0.0001", "claim": "worse"})
    computed = _of(audit(study), "implied_hazard_ratios")["computed"].iloc[0]
    assert f"{math.exp(3.890592 / math.sqrt(5.8333)):.2f} at the edge of p <0.0001, at least 3.12" in computed
    unknown = _of(audit(make(SIZE, EVENTS, p_row | {"p": "<0.0001", "claim": "worse"})), "implied_hazard_ratios")
    assert "at least 3.12 from p <0.0001" in unknown["computed"].iloc[0]
    better = _of(audit(make(SIZE, EVENTS, p_row | {"p": "<0.0001", "claim": "better"})), "implied_hazard_ratios")
    assert "at most 0.32 from p <0.0001" in better["computed"].iloc[0]
    without = _of(audit(make(SIZE, p_row | {"p": "0.01"})), "implied_hazard_ratios")
    assert without["severity"].tolist() == ["not_computable"]
    assert "number of events" in without["explanation"].iloc[0]


def test_inflation_that_nesting_explains(make: Make) -> None:
    sizes = [SIZE, _n("eczema", "yes", 21), _n("atopy", "yes", 41), _n("hay_fever", "yes", 29)]
    comparison = Comparison("time_to_relapse", "all", "eczema", "yes", "no")
    joint, words = nesting_inflation(Prints(make(*sizes)), comparison)
    # R^2 of eczema on atopy alone: p_i (1 - p_o) / (p_o (1 - p_i)) = 21 * 85 / (41 * 105).
    assert f"{1 / (1 - 21 * 85 / (41 * 105)):.1f} with Atopy" in words
    assert f"{1 / (1 - 21 * 97 / (29 * 105)):.1f} with Hay fever" in words
    # Both: patients built to be independent outside eczema (105 = 21 * 5; 20/105 and 8/105 outside).
    rng = np.random.default_rng(0)
    eczema = np.arange(4_000_000) < 4_000_000 * 21 / 126
    atopy = eczema | (rng.random(4_000_000) < 20 / 105)
    hay_fever = eczema | (rng.random(4_000_000) < 8 / 105)
    correlation = np.corrcoef([eczema, atopy, hay_fever])
    assert joint == pytest.approx(np.linalg.inv(correlation)[0, 0], rel=0.01)
    _, alone = nesting_inflation(Prints(make(SIZE)), comparison)
    assert alone == "no nesting of known size explains any of it"


def test_interval_narrower_than_the_events_allow(make: Make) -> None:
    se = 2 / math.sqrt(42)  # exactly what 42 events of two equal groups give
    for factor, found in ((1.05, 0), (0.9, 1)):
        limits = {"lower": f"{math.exp(-1.96 * se * factor):.3f}", "upper": f"{math.exp(1.96 * se * factor):.3f}"}
        study = make(SIZE, EVENTS, HR | {"value": "1.00"} | limits)
        assert len(_of(audit(study), "interval_narrower_than_events_allow")) == found


def test_share_of_information_is_a_bound_where_the_sizes_are_unknown(make: Make) -> None:
    # SE = ln(27.20 / 1.94) / 3.92 = 0.6735: 1 / SE^2 = 2.2046 of at most 42 / 4 = 10.5 is at least 21%;
    # of 42 * 21 * 105 / 126^2 = 5.833 it is 38% by the formula, which can be off in either direction.
    ratio = HR | {"value": "7.27", "lower": "1.94", "upper": "27.20"}
    unknown = _of(audit(make(SIZE, EVENTS, ratio)), "variance_inflation").iloc[0]
    assert "carries at least 21% of the information" in unknown["explanation"]
    assert "unadjusted, the printed events give at most 42.0, so the variance is up to 4.8" in unknown["computed"]
    known = _of(audit(make(SIZE, EVENTS, _n("eczema", "yes", 21), ratio)), "variance_inflation").iloc[0]
    assert "carries 38% of the information" in known["explanation"]
    assert "larger or smaller, and this share with it too high or too low" in known["explanation"]


def test_direction_of_ratios_and_of_rates(make: Make) -> None:
    ratio = HR | {"value": "2.00", "lower": "1.20", "upper": "3.33"}
    assert _of(audit(make(SIZE, ratio | {"claim": "worse"})), "stated_direction").empty
    assert len(_of(audit(make(SIZE, ratio | {"claim": "better"})), "stated_direction")) == 1
    rates = [
        {"endpoint": "exacerbation", "kind": "percent", "factor": "atopy", "level": level, "value": value}
        for level, value in (("yes", "60"), ("no", "25"))
    ]
    p_row = {"endpoint": "exacerbation", "kind": "p_value", "factor": "atopy", "level": "yes", "comparator": "no"}
    for claim, found in (("higher", 0), ("worse", 0), ("lower", 1), ("better", 1)):
        study = make(*rates, p_row | {"p": "0.03", "claim": claim})
        assert len(_of(audit(study), "stated_direction")) == found


def test_medians_not_reached_are_the_largest(make: Make) -> None:
    medians = [
        {"endpoint": "time_to_relapse", "kind": "median", "factor": "atopy", "level": level, "value": value}
        for level, value in (("yes", "26.9"), ("no", "not reached"))
    ]
    p_row = {"endpoint": "time_to_relapse", "kind": "p_value", "factor": "atopy", "level": "yes", "comparator": "no"}
    findings = _of(audit(make(*medians, p_row | {"p": "0.01", "claim": "better"})), "stated_direction")
    assert findings["severity"].tolist() == ["contradiction"]
    assert _of(audit(make(*medians, p_row | {"p": "0.01", "claim": "worse"})), "stated_direction").empty


@pytest.mark.parametrize(
    ("texts", "severity"),
    [
        (("52.5", "53"), "note"),
        (("52.5", "52"), "note"),
        (("52.5", "52.6"), "contradiction"),
        (("52.5", "54"), "contradiction"),
        (("52.50", "52.5"), "note"),
    ],
)
def test_repeats_with_other_digits(make: Make, texts: tuple[str, str], severity: str) -> None:
    rows = [{"endpoint": "exacerbation", "kind": "percent", "value": text} for text in texts]
    assert _of(audit(make(*rows)), "repeated_values")["severity"].tolist() == [severity]


@pytest.mark.parametrize(
    ("texts", "severity"),
    [
        (("0.05", "0.051"), "note"),
        (("<0.001", "<0.0001"), "note"),
        (("NS", "0.2"), "note"),
        (("NS", "0.02"), "contradiction"),
        (("<0.001", "0.004"), "contradiction"),
    ],
)
def test_repeated_p_values_with_groups_named_either_way(make: Make, texts: tuple[str, str], severity: str) -> None:
    p_row = {"endpoint": "fev1", "kind": "p_value", "factor": "atopy"}
    rows = [
        p_row | {"level": "yes", "comparator": "no", "p": texts[0]},
        p_row | {"level": "no", "p": texts[1]},
    ]
    assert _of(audit(make(*rows)), "repeated_values")["severity"].tolist() == [severity]


def test_an_ambiguous_row_contradicts_nothing(make: Make) -> None:
    rows = [
        {"endpoint": "exacerbation", "kind": "count", "count": "5"},
        {"endpoint": "exacerbation", "kind": "count", "count": "6", "reading": "ambiguous", "note": "or admissions"},
    ]
    assert _of(audit(make(*rows)), "repeated_values")["severity"].tolist() == ["note"]


def test_multiplicity_counts_each_test_once(make: Make) -> None:
    p_row = {"endpoint": "fev1", "kind": "p_value", "level": "yes", "comparator": "no"}
    values = {"atopy": "0.01", "eczema": "0.04", "hay_fever": ">0.05"}
    rows = [p_row | {"factor": factor, "p": p} for factor, p in values.items()]
    repeat = p_row | {"factor": "atopy", "p": "<0.05", "location": "abstract"}
    finding = _of(audit(make(*rows, repeat)), "multiplicity").iloc[0]
    # Three tests: 0.01 * 3 = 0.03 survives both; 0.04 * 3 / 2 = 0.06 does not.
    assert finding["printed"] == "3 different p values, 2 of them below 0.05"
    assert finding["computed"] == "1 survive Benjamini-Hochberg, 1 survive Holm"
    assert "row_1" in finding["explanation"]


@pytest.mark.parametrize(
    ("texts", "printed"),
    [
        (("0.05", "0.051"), "2 different p values, 1 of them below 0.05"),
        (("0.04", "0.052", "<0.05"), "2 different p values, 1 of them below 0.05"),
        (("<0.05", "<0.001"), "2 different p values, 2 of them below 0.05"),
        (("NS", "0.049"), "2 different p values, 2 of them below 0.05"),
    ],
)
def test_multiplicity_takes_the_most_precise_print(make: Make, texts: tuple[str, ...], printed: str) -> None:
    p_row = {"endpoint": "fev1", "kind": "p_value", "level": "yes", "comparator": "no"}
    for order in (texts, texts[::-1]):
        repeats = [p_row | {"factor": "atopy", "p": p} for p in order]
        finding = _of(audit(make(p_row | {"factor": "eczema", "p": "0.01"}, *repeats)), "multiplicity").iloc[0]
        assert finding["printed"] == printed


def test_largest_of_normal_values() -> None:
    rng = np.random.default_rng(0)
    largest = rng.normal(size=(20_000, 126)).max(axis=1)
    mean, sd = extreme_of_normal(126)
    assert mean == pytest.approx(largest.mean(), abs=0.02)
    assert sd == pytest.approx(largest.std(), rel=0.1)


def test_words_are_the_study_s_own(make: Make) -> None:
    rows = [SIZE, {"endpoint": "exacerbation", "kind": "percent", "factor": "", "value": "33.1", "count": "41"}]
    text = _of(audit(make(*rows)), "counts_behind_percentages")["explanation"].iloc[0]
    assert text == "Exacerbation, All children: 41 patients are not 33.1% of 126, neither rounded nor truncated."


def test_no_disease_stands_in_the_code() -> None:
    words = r"myeloma|ixazomib|refractory|progression|zhou|IMiD|proteasome"
    for path in Path(package.__file__).parent.glob("*.py"):
        text = re.sub(r">>> .*", "", path.read_text(encoding="utf-8"))
        assert not re.search(words, text, flags=re.IGNORECASE), path.name


def test_html_in_a_label_passes_through_as_text(make: Make) -> None:
    definition = DEFINITION.replace('label = "Exacerbation"', 'label = "<script>alert(1)</script>"')
    rows = [SIZE, {"endpoint": "exacerbation", "kind": "percent", "value": "33.1", "count": "41"}]
    findings = audit(make(*rows, definition=definition))
    assert "<script>alert(1)</script>" in findings["explanation"].iloc[0]


@pytest.mark.parametrize(
    ("median", "events", "size", "found"),
    [
        ("12.0", 0, 41, ["nobody had the event"]),
        ("12.0", 1, 41, []),
        ("not reached", 21, 41, ["21 of 41 patients had the event, more than half"]),
        ("not reached", 20, 41, []),
        ("not reached", 20, 40, []),
    ],
)
def test_events_of_a_subgroup_are_held_against_its_median(
    make: Make, median: str, events: int, size: int, found: list[str]
) -> None:
    group = {"factor": "atopy", "level": "yes", "endpoint": "time_to_relapse"}
    rows = [
        SIZE,
        _n("atopy", "yes", size),
        group | {"kind": "median", "value": median},
        group | {"kind": "events", "count": str(events)},
    ]
    table = audit(make(*rows))
    of_check = table[table["check"].eq("events_and_median")]
    assert of_check["computed"].tolist() == found
    assert of_check["severity"].eq("contradiction").all()
    assert of_check["ledger_rows"].str.split(";").str[0].eq("row_2").all()
