"""The response tables: exact where they are conjugate, complete, and honest about what is open."""

import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from ixa_bayes.inference import response as response_module
from ixa_bayes.inference.diagnostics import Convergence
from ixa_bayes.inference.hierarchical import HierarchicalFit
from ixa_bayes.inference.posterior_file import IDENTITY
from ixa_bayes.inference.response import ResponseReanalysis, reanalyse_response
from ixa_bayes.inference.response_rows import CONTRAST_COLUMNS, RESPONSE_COLUMNS
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.study.ledger import Study

from .conftest import StudyMaker

compiles = pytest.mark.compiles

TABLES = (
    "2/19_vs_62/103",
    "27/35_vs_37/87",
    "11/38_vs_53/84",
    "15/40_vs_13/17",
    "5/21_vs_23/36",
    "1/12_vs_27/45",
    "10/28_vs_14/20",
)
PRIORS = {"uniform": "beta_1_1", "jeffreys": "beta_half_half"}
COUNT = {"endpoint": "toxicity", "kind": "count"}


def _analysis(name: str = "orr", **changes: object) -> ResponseAnalysis:
    analysis = read_model(name).analysis
    assert isinstance(analysis, ResponseAnalysis)
    return analysis.model_copy(update={"endpoints": "binary", "leave_out": ()} | changes)


def _two_groups(make_study: StudyMaker, table: str) -> Study:
    """A study with these two groups as the levels of an incomplete factor; group 1 is the level ``yes``."""
    cells = [group.split("/") for group in table.split("_vs_")]
    rows = [
        COUNT | {"factor": "marker", "level": level, "count": r, "denominator": n}
        for level, (r, n) in zip(("yes", "no"), cells, strict=True)
    ]
    total = {"count": str(sum(int(r) for r, _ in cells)), "denominator": str(sum(int(n) for _, n in cells))}
    p = {
        "factor": "marker",
        "level": "yes",
        "comparator": "no",
        "endpoint": "toxicity",
        "kind": "p_value",
        "p": "<0.05",
    }
    return make_study(COUNT | total, *rows, p)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("prior", PRIORS)
def test_conjugate_rows_equal_the_reference(
    make_study: StudyMaker, bayes_reference: dict[str, Any], table: str, prior: str
) -> None:
    wanted = bayes_reference["beta_binomial"][PRIORS[prior]][table]
    found = reanalyse_response(_two_groups(make_study, table), _analysis(hierarchical=None), seed=1)
    rates = found.response.query("factor == 'marker' and prior == @prior").set_index("level")
    for level, group in (("yes", "group1"), ("no", "group2")):
        row, quantiles = rates.loc[level], wanted[group]["quantiles"]
        got = [row["mean"], row["sd"], row["q025"], row["median"], row["q975"]]
        want = [wanted[group]["mean"], wanted[group]["sd"], *(quantiles[q] for q in ("q2.5", "q50", "q97.5"))]
        np.testing.assert_allclose(got, want, atol=1e-6)
    contrasts = found.response_contrast.query("prior == @prior").set_index("measure")
    names = {"difference": "difference_p1_minus_p2", "odds_ratio": "odds_ratio_1_over_2"}
    for measure, name in (names | {"risk_ratio": "risk_ratio_1_over_2"}).items():
        row, quantiles = contrasts.loc[measure], wanted[name]["quantiles"]
        assert (row["level"], row["comparator"]) == ("yes", "no")
        got = [row["q025"], row["median"], row["q975"], row["p_level_lower"]]
        want = [*(quantiles[q] for q in ("q2.5", "q50", "q97.5")), wanted["prob_p1_below_p2"]]
        np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.fixture(scope="module")
def zhou() -> ResponseReanalysis:
    from ixa_bayes.study.ledger import read_study

    analysis = read_model("orr").analysis
    assert isinstance(analysis, ResponseAnalysis)
    return reanalyse_response(read_study("zhou2026"), analysis, seed=20261125)


class TestIndexStudy:
    pytestmark = compiles

    def test_tables_have_the_documented_columns(self, zhou: ResponseReanalysis) -> None:
        assert list(zhou.response.columns) == list(RESPONSE_COLUMNS)
        assert list(zhou.response_contrast.columns) == list(CONTRAST_COLUMNS)
        for table in (zhou.response, zhou.response_contrast, zhou.counts, zhou.diagnostics):
            assert (table["evidence_kind"] == "published_effect").all()
            assert table["ledger_rows"].str.len().gt(0).all()

    def test_triple_class_refractory(self, zhou: ResponseReanalysis) -> None:
        rows = zhou.response.query("population == 'all' and factor == 'triple_class_refractory'")
        assert set(zip(rows["level"], rows["responders"], rows["evaluable"], strict=True)) == {
            ("yes", 2, 19),
            ("no", 62, 103),
        }
        assert set(rows["prior"]) == {"uniform", "jeffreys", "sceptical", "enthusiastic", "hierarchical"}
        medians = rows.query("level == 'yes'").set_index("prior")["median"].to_dict()
        assert medians["uniform"] < medians["hierarchical"] < 62 / 103
        upper = rows.query("level == 'yes'")["clopper_pearson_q975"].unique()
        assert upper == pytest.approx([0.3314], abs=1e-3)

    def test_fisher_and_printed_p_stand_beside_each_contrast(self, zhou: ResponseReanalysis) -> None:
        row = zhou.response_contrast.query("population == 'all' and factor == 'pi_refractory'").iloc[0]
        assert row["printed_p"] == "0.0008"
        assert row["fisher_p"] == pytest.approx(0.0008, abs=5e-5)

    def test_literature_priors_are_for_whole_regimens_only(self, zhou: ResponseReanalysis) -> None:
        rows = zhou.response.query("prior == 'literature'")
        assert sorted((str(row.population), str(row.level)) for row in rows.itertuples()) == [
            ("all", "ixa_pd"),
            ("all", "ixa_rd"),
            ("ixa_pd", ""),
            ("ixa_rd", ""),
        ]
        told = zhou.counts.query("factor == 'triple_class_refractory'")["literature_prior"]
        assert (told == "none").all()

    def test_a_literature_prior_names_its_studies_and_what_is_known_against_each(
        self, zhou: ResponseReanalysis
    ) -> None:
        (prior,) = zhou.priors.query("regimen == 'Ixa-Rd' and endpoint == 'orr'").to_dict("records")
        assert "insure2022 367 of 564: evaluable number for response not seen" in prior["studies"]
        counted = [int(n) for n in re.findall(r"\d+ of (\d+): ", prior["studies"])]
        assert (len(counted), sum(counted)) == (3, 956)
        assert prior["meaning"] == "One more study like 3 studies of Ixa-Rd with 956 patients in all."
        assert zhou.priors.loc[zhou.priors["prior"].ne("literature"), "studies"].eq("").all()

    def test_the_printed_impossible_table_is_named(self, zhou: ResponseReanalysis) -> None:
        (row,) = zhou.counts.query("basis == 'as_printed' and factor == 'pi_refractory'").itertuples()
        assert row.counts_status == "impossible"
        assert "61.1" in str(row.note)

    def test_every_pooled_fit_converged_with_the_one_program(self, zhou: ResponseReanalysis) -> None:
        assert zhou.diagnostics["converged"].all(), zhou.diagnostics["reasons"].tolist()
        assert {fit.attrs["program"] for fit in zhou.posteriors.values()} == {"hierarchical_binomial/16"}
        assert set(zhou.posteriors) == set(zhou.diagnostics["fit"])
        assert all(set(IDENTITY) <= set(fit.attrs) for fit in zhou.posteriors.values())

    def test_regimens_are_pooled(self, zhou: ResponseReanalysis) -> None:
        fit = zhou.posteriors["orr__all__regimen"]
        assert fit["posterior"]["group"].to_numpy().tolist() == ["ixa_rd", "ixa_pd"]
        assert fit["observed_data"]["r"].to_numpy().tolist() == [28, 13]

    def test_pooled_groups_share_no_patient(self, zhou: ResponseReanalysis) -> None:
        """One factor per fit, and no group larger together than the population they are part of."""
        whole = zhou.response.query("factor == ''").groupby("population")["evaluable"].first()
        for name, fit in zhou.posteriors.items():
            population = name.split("__")[1]
            assert int(fit["constant_data"]["evaluable"].sum()) <= whole[population]

    def test_the_same_seed_gives_the_same_tables(self, zhou: ResponseReanalysis) -> None:
        from ixa_bayes.study.ledger import read_study

        again = reanalyse_response(read_study("zhou2026"), _analysis(endpoints=("orr",)), seed=20261125)
        pd.testing.assert_frame_equal(again.response, zhou.response)
        pd.testing.assert_frame_equal(again.response_contrast, zhou.response_contrast)


def test_a_fit_that_did_not_converge_has_no_numbers(make_study: StudyMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = xr.DataArray(
        np.random.default_rng(1).uniform(size=(4, 50, 2)),
        dims=("chain", "draw", "group"),
        coords={"group": ["yes", "no"]},
    )
    tree = xr.DataTree.from_dict({"posterior": rate.to_dataset(name="rate")})
    tree.attrs.update({"seed": 1, "sampler": "none"})
    table = pd.DataFrame({"rhat": [2.0], "ess_bulk": [4.0], "ess_tail": [4.0]}, index=["mu"])
    failed = HierarchicalFit(tree, Convergence(False, ("mu: R-hat 2.000 above 1.01",), table, 0.1, 0.5))
    monkeypatch.setattr(response_module, "fit_hierarchical", lambda *_, **__: failed)
    found = reanalyse_response(_two_groups(make_study, TABLES[0]), _analysis(), seed=1)
    rows = found.response.query("model == 'hierarchical_binomial'")
    assert len(rows) == 2
    assert not rows["converged"].any()
    assert rows[["mean", "sd", "q025", "median", "q975", "next_median"]].isna().all(axis=None)
    contrasts = found.response_contrast.query("model == 'hierarchical_binomial'")
    assert contrasts[["median", "q025", "q975", "p_level_lower"]].isna().all(axis=None)
    assert found.diagnostics["reasons"].tolist() == ["mu: R-hat 2.000 above 1.01"]


def test_a_study_without_the_endpoint_gets_empty_tables(make_study: StudyMaker) -> None:
    study = make_study(COUNT | {"count": "3", "denominator": "10"})
    found = reanalyse_response(study, _analysis(endpoints=("orr",)), seed=1)
    assert found.response.empty
    assert list(found.response.columns) == list(RESPONSE_COLUMNS)
    assert found.diagnostics.empty
    assert found.posteriors == {}


def test_progress_is_told_per_fit_and_label_may_look_like_html(
    make_study: StudyMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int, str]] = []

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(response_module, "fit_hierarchical", stop)
    with pytest.raises(KeyboardInterrupt):
        reanalyse_response(
            _two_groups(make_study, TABLES[0]), _analysis(), seed=1, progress=lambda *args: told.append(args)
        )
    assert told == [(0, 1, "toxicity__all__marker")]


def test_priors_say_what_they_imply(make_study: StudyMaker) -> None:
    study = make_study(COUNT | {"count": "3", "denominator": "10"})
    priors = reanalyse_response(study, _analysis(), seed=1).priors.set_index("prior")
    assert priors[["q025", "median", "q975"]].to_dict("index")["uniform"] == pytest.approx(
        {"q025": 0.025, "median": 0.5, "q975": 0.975}
    )
    assert priors.loc["sceptical", "p_above_half"] == pytest.approx(0.0327, abs=1e-4)


def test_conjugate_tables_import_no_sampler() -> None:
    code = """
import json, sys
from ixa_bayes.inference import compiled, diagnostics, hierarchical, posterior_file, response, sampling, calibration
from ixa_bayes.models.analysis import read_model
from ixa_bayes.study.ledger import read_study
analysis = read_model("orr").analysis.model_copy(update={"hierarchical": None})
response.reanalyse_response(read_study("zhou2026"), analysis, seed=1)
print(json.dumps(sorted({"pymc", "nutpie", "arviz", "pytensor", "numba"} & set(sys.modules))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
