"""The table that puts the frequentist answers beside each other."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ixa_bayes.crosscheck.cox import cox, proportionality_test
from ixa_bayes.crosscheck.firth import firth_cox
from ixa_bayes.crosscheck.log_rank import log_rank
from ixa_bayes.crosscheck.parametric import piecewise_mle, weibull_mle
from ixa_bayes.crosscheck.table import COLUMNS, Term, crosscheck_table

SIZE = 80
RNG = np.random.default_rng(11)
STAGE = RNG.integers(0, 3, SIZE)
DESIGN = pd.DataFrame({"pi_only": STAGE == 1, "triple_class": STAGE == 2, "age10": RNG.normal(7, 1, SIZE)}).astype(
    float
)
TERMS = {"pi_only": Term("refractoriness", "pi_only"), "triple_class": Term("refractoriness", "triple_class")}
TIME = np.ceil(RNG.exponential(15, SIZE) / (1 + STAGE))
EVENT = RNG.random(SIZE) < 0.7
CUTS = (3.0, 8.0)
RATIOS = ("cox_efron", "cox_breslow", "firth", "weibull_mle", "piecewise_mle")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return crosscheck_table(TIME, EVENT, design=DESIGN, terms=TERMS, cuts=CUTS)


def test_one_row_for_each_method_and_coefficient(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(COLUMNS)
    assert not table.duplicated(["method", "factor", "level"]).any()
    rows = table.groupby("method", sort=False).size()
    assert dict(rows) == {
        **dict.fromkeys(RATIOS, 3),
        "log_rank": 2,
        **{f"proportionality_{transform}": 4 for transform in ("km", "rank", "identity")},
    }


def test_the_numbers_are_those_of_each_method(table: pd.DataFrame) -> None:
    fits = {
        "cox_efron": cox(TIME, EVENT, design=DESIGN).log_hazard_ratios,
        "cox_breslow": cox(TIME, EVENT, design=DESIGN, ties="breslow").log_hazard_ratios,
        "firth": firth_cox(TIME, EVENT, design=DESIGN).log_hazard_ratios,
        "weibull_mle": weibull_mle(TIME, EVENT, design=DESIGN).log_hazard_ratios,
        "piecewise_mle": piecewise_mle(TIME, EVENT, design=DESIGN, cuts=CUTS).log_hazard_ratios,
    }
    for method, fit in fits.items():
        rows = table[table["method"] == method]
        np.testing.assert_allclose(rows[["estimate", "lower", "upper"]], np.exp(fit[["estimate", "lower", "upper"]]))
        np.testing.assert_allclose(rows["p"], fit["p"])
        assert (rows["note"] == "").all()
        assert list(rows["level"]) == ["pi_only", "triple_class", ""]
    estimates = [table[table["method"] == method]["estimate"].iloc[0] for method in RATIOS]
    assert len({round(value, 9) for value in estimates}) == len(RATIOS)
    rank = proportionality_test(TIME, EVENT, design=DESIGN, transform="rank")
    np.testing.assert_allclose(table[table["method"] == "proportionality_rank"]["estimate"], rank["chi_square"])


def test_the_log_rank_test_joins_the_levels_of_a_factor(table: pd.DataFrame) -> None:
    row, age = (table[table["method"] == "log_rank"].iloc[i] for i in (0, 1))
    test = log_rank(TIME, EVENT, group=STAGE)
    assert (row["factor"], row["level"]) == ("refractoriness", "")
    assert row["estimate"] == pytest.approx(test.chi_square)
    assert row["p"] == pytest.approx(test.p)
    assert "3 groups" in row["note"]
    assert age["note"] == "not available: a continuous covariate makes no groups"


def test_ties_are_stated(table: pd.DataFrame) -> None:
    ties = table.groupby("method")["ties"].unique().map(list)
    assert ties["cox_efron"] == ["Efron"]
    assert ties["cox_breslow"] == ties["firth"] == ["Breslow"]
    assert (table["ties"] != "").all()


@pytest.mark.parametrize(
    ("absent", "told"),
    [
        (("p",), "p not found: the search for it did not converge"),
        (("upper",), "a limit of the interval not found: the search for it did not converge"),
        (("lower", "p"), "a limit of the interval and p not found: the search for it did not converge"),
    ],
)
def test_a_number_of_firth_that_is_missing_has_its_reason(
    absent: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = firth_cox(TIME, EVENT, design=DESIGN)
    fit.log_hazard_ratios.loc[DESIGN.columns[1], list(absent)] = math.nan
    monkeypatch.setattr("ixa_bayes.crosscheck.table.firth_cox", lambda **_: fit)
    rows = crosscheck_table(TIME, EVENT, design=DESIGN)
    assert rows.loc[rows["method"] == "firth", "note"].tolist() == ["", told, ""]


def test_firth_is_never_computed_without_entry_times_or_weights() -> None:
    for given in ({"entry": TIME / 2}, {"weight": np.full(SIZE, 2)}):
        rows = crosscheck_table(TIME, EVENT, design=DESIGN, terms=TERMS, cuts=CUTS, **given)
        firth = rows[rows["method"] == "firth"]
        assert len(firth) == 3
        assert firth[["estimate", "lower", "upper", "p"]].isna().all(axis=None)
        assert firth["note"].str.startswith("not available: firthmodels has no").all()
        others = rows[rows["method"].isin(set(RATIOS) - {"firth"})]
        assert others["estimate"].notna().all()


def test_separation_shows_where_the_ratio_runs() -> None:
    spared = EVENT & (STAGE != 2)
    rows = crosscheck_table(TIME, spared, design=DESIGN, terms=TERMS, cuts=CUTS)
    for method in ("cox_efron", "weibull_mle", "piecewise_mle"):
        of = rows[rows["method"] == method].set_index("level")
        assert of.loc["triple_class", "estimate"] == 0
        assert of.loc["triple_class", "note"] == "no interval: the hazard ratio runs to 0 (separation)"
        assert math.isnan(of.loc["triple_class", "upper"])
        assert "another hazard ratio" in of.loc["pi_only", "note"]
    firth = rows[(rows["method"] == "firth") & (rows["level"] == "triple_class")].iloc[0]
    assert 0 < firth["lower"] < firth["estimate"] < firth["upper"] < math.inf
    tests = rows[rows["method"].str.startswith("proportionality")]
    assert tests["note"].str.contains("separation").all()


def test_events_between_visits_are_taken_at_the_later_visit_and_every_answer_says_so() -> None:
    between = np.arange(SIZE) < 5
    rows = crosscheck_table(TIME, EVENT, design=DESIGN, terms=TERMS, cuts=CUTS, interval_censored=between)
    full = crosscheck_table(TIME, EVENT, design=DESIGN, terms=TERMS, cuts=CUTS)
    pd.testing.assert_frame_equal(rows.drop(columns="note"), full.drop(columns="note"))
    answered = rows["estimate"].notna()
    assert (
        rows.loc[answered, "note"].str.endswith("taken at the later visit").sum()
        == (answered & ~rows["method"].isin(("weibull_mle", "piecewise_mle"))).sum()
    )
    late = rows[rows["method"].isin(("weibull_mle", "piecewise_mle"))]["note"]
    assert late.str.contains("taken at the later visit, so all its times are late").all()
    assert rows.loc[~answered, "note"].equals(full.loc[~answered, "note"])
    assert rows["note"].str.contains("3 groups, this factor alone; events between").any()


def test_where_no_event_lies_between_visits_nothing_is_said_of_them() -> None:
    full = crosscheck_table(TIME, EVENT, design=DESIGN, terms=TERMS, cuts=CUTS)
    censored = crosscheck_table(TIME, EVENT, design=DESIGN, terms=TERMS, cuts=CUTS, interval_censored=~EVENT)
    pd.testing.assert_frame_equal(censored, full)
    with pytest.raises(ValueError, match="one value for each"):
        crosscheck_table(TIME, EVENT, design=DESIGN, interval_censored=[True])


def test_every_method_stands_there_without_events() -> None:
    rows = crosscheck_table(TIME, EVENT & False, design=DESIGN, terms=TERMS)
    assert rows["note"].str.startswith("not available").all()
    cut = rows[rows["method"] == "piecewise_mle"]
    assert cut["note"].str.contains("no cut-points").all()


def test_terms_of_unknown_columns_are_refused() -> None:
    with pytest.raises(ValueError, match=r"terms name \['gfr'\]"):
        crosscheck_table(TIME, EVENT, design=DESIGN, terms={"gfr": Term("gfr")})


def test_importing_the_modules_loads_no_heavy_library() -> None:
    script = (
        "import sys, ixa_bayes.crosscheck.table, ixa_bayes.crosscheck.curves, ixa_bayes.crosscheck.competing\n"
        "import ixa_bayes.crosscheck.situations\n"
        "print({'greenwood', 'firthmodels', 'sklearn', 'numba', 'pymc', 'arviz'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
