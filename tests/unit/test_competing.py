"""Death before progression: declared and never guessed, read with its contradictions, counted beside one minus KM."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.unit.fits import patients, question, results_of, written_fit
from tests.unit.pages import text_of

from ixa_bayes.cohort.summary import summary_lines
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.crosscheck.curves import curve_table
from ixa_bayes.crosscheck.incidence import incidence_table
from ixa_bayes.errors import InputError
from ixa_bayes.report.fit.figures import draw_fit
from ixa_bayes.report.fit.page import render_fit_page
from ixa_bayes.report.fit.results import FitResults

# A progresses and dies later, B dies without progression, C lives without, D is last seen at 6 and dies at 9,
# E progresses on the day of death.
TABLE = pd.DataFrame(
    {
        "patient": list("ABCDE"),
        "ttp_time": [3.0, 7.0, 10.0, 6.0, 8.0],
        "ttp_event": [1, 0, 0, 0, 1],
        "pfs_time": [3.0, 7.0, 10.0, 6.0, 8.0],
        "pfs_event": [1, 1, 0, 0, 1],
        "os_time": [5.0, 7.0, 12.0, 9.0, 8.0],
        "os_event": [1, 1, 0, 1, 1],
        "weight": [1, 2, 1, 3, 1],
    }
)
NAMES = {"own": "progression", "other": "death without progression"}


def _declared(counts_as: str, **how: Any) -> dict[str, Any]:
    return {"competing": NAMES | {"counts_as": counts_as} | (how or {"endpoint": "os"})}


def _cohort(table: pd.DataFrame = TABLE, **endpoints: Mapping[str, Any]) -> Cohort:
    return read_cohort(table, description={"endpoints": {"os": {}} | endpoints})


def _faults(table: pd.DataFrame, **endpoints: Mapping[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        _cohort(table, **endpoints)
    return [(problem.where, problem.rule) for problem in caught.value.problems]


def test_nothing_competes_unless_it_is_declared() -> None:
    cohort = _cohort(pfs={}, ttp={})
    assert "competing" not in cohort.follow_up["pfs"]
    assert "competing" not in cohort.follow_up["ttp"]


def test_who_dies_at_the_end_of_follow_up_died_without_the_event() -> None:
    ttp = _cohort(ttp=_declared("censored")).follow_up["ttp"]
    assert ttp["competing"].to_numpy().tolist() == [False, True, False, False, False]  # E progressed, too
    assert ttp["event"].to_numpy().tolist() == [True, False, False, False, True]
    assert ttp.attrs["n_competing_later"] == 3  # D, by weight
    pfs = _cohort(pfs=_declared("event")).follow_up["pfs"]
    assert pfs["competing"].to_numpy().tolist() == [False, True, False, False, True]
    assert pfs["event"].to_numpy().tolist() == [True, True, False, False, True]
    assert (pfs.attrs["own_event"], pfs.attrs["competing_event"]) == tuple(NAMES.values())


def test_the_declaration_belongs_to_the_content() -> None:
    assert len({_cohort(pfs=one).sha256 for one in ({}, _declared("event"), {"label": "PFS"})}) == 2


@pytest.mark.parametrize("counts_as", ["event", "censored"])
def test_words_of_the_event_column_tell_events_apart(counts_as: str) -> None:
    how = {"event_is": [1], "censored_is": [0]} | _declared(counts_as, event_is=[2])
    table = TABLE.assign(ttp_event=[1, 2, 0, 0, 1])
    ttp = _cohort(table, ttp=how).follow_up["ttp"]
    assert ttp["competing"].to_numpy().tolist() == [False, True, False, False, False]
    assert ttp["event"].to_numpy().tolist() == [True, counts_as == "event", False, False, True]
    [(where, rule)] = _faults(table.assign(ttp_event=[1, 2, 0, 3, 1]), ttp=how)
    assert where == "table, row 4, column 'ttp_event'"
    assert rule == "must be one of '1', '0', '2', as declared"
    with pytest.raises(InputError, match=r"if 2 is another event, pass .*competing"):
        _cohort(table, ttp={})


def test_dates_compete_as_times_do() -> None:
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta([30, 60, 90], unit="D")
    table = pd.DataFrame(
        {
            "patient": list("ABC"),
            "start": "2020-01-01",
            "progressed": [days[0], None, None],
            "died": [days[1], days[1], None],
            "seen": days[2],
        }
    )
    dates = {"start_date": "start", "last_contact_date": "seen"}
    cohort = _cohort(
        table,
        os=dates | {"event_date": "died"},
        pfs=dates | {"event_date": ["progressed", "died"]} | _declared("event"),
    )
    assert cohort.follow_up["pfs"]["competing"].to_numpy().tolist() == [False, True, False]


def test_contradictions_are_faults() -> None:
    after = TABLE.assign(ttp_time=[3.0, 7.5, 10.0, 6.0, 8.0])
    [(where, rule)] = _faults(after, ttp=_declared("censored"))
    assert (where, rule) == (
        "table, row 2, column 'ttp_time'",
        "nobody is followed for ttp after death without progression (os)",
    )
    uncounted = TABLE.assign(pfs_event=[1, 0, 0, 0, 1])
    [(where, rule)] = _faults(uncounted, pfs=_declared("event"))
    assert (where, rule) == (
        "table, row 2, column 'pfs_time'",
        "death without progression (os) counts as an event of pfs, at the same time",
    )
    assert _faults(TABLE, pfs=_declared("event", endpoint="oss"))[0][1].startswith("endpoint pfs competes with another")
    assert _faults(TABLE, pfs=_declared("event", endpoint="pfs"))[0][1].startswith("endpoint pfs competes with another")


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ({"competing": NAMES | {"counts_as": "event"}}, "exactly one of endpoint and event_is"),
        (_declared("event", endpoint="os", event_is=[2]), "exactly one of endpoint and event_is"),
        (_declared("event", event_is=[2]), "needs event_is and censored_is"),
        ({"event_is": [1], "censored_is": [0]} | _declared("event", event_is=[1]), "shares no word"),
        ({"competing": {"own": "a", "other": "a", "counts_as": "event", "endpoint": "os"}}, "need two names"),
    ],
)
def test_a_declaration_says_one_thing(endpoint: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        _cohort(pfs=endpoint)


def test_check_cohort_counts_competing_events() -> None:
    def line(kept_back: bool, **endpoints: Mapping[str, Any]) -> str:
        cohort = _cohort(TABLE.assign(weight=[4, 2, 1, 3, 9]), **endpoints)
        medians = dict.fromkeys(cohort.follow_up, 7.0)
        return list(summary_lines(cohort, median_follow_up=medians, show_small_cells=not kept_back))[1]

    assert "pfs: 15 events, 11 of them death without progression, " in line(False, pfs=_declared("event"))
    assert "pfs: all but <5 with the event, all but <5 of them death without progression, " in line(
        True, pfs=_declared("event")
    )
    assert "ttp: 13 events, 2 death without progression (censored), " in line(False, ttp=_declared("censored"))
    assert "ttp: 13 events, <5 death without progression (censored), " in line(True, ttp=_declared("censored"))


TIME = np.array([2.0, 3, 3, 5, 8, 9, 12, 12])
OWN = np.array([1, 0, 0, 1, 0, 0, 1, 0], dtype=bool)
OTHER = np.array([0, 1, 0, 0, 1, 0, 0, 0], dtype=bool)


def _incidence(**how: Any) -> pd.DataFrame:
    return incidence_table(TIME, OWN, OTHER, own="relapse", other="death", at=[3, 5, 8, 14], **how)


def test_incidence_by_hand() -> None:
    found = _incidence().set_index(["method", "level", "time"])["estimate"].sort_index()
    # All-event survival: 7/8 after 2, 6/8 after 3, 3/5 after 5, 9/20 after 8.
    relapse, death = (found["aalen_johansen", cause].to_numpy() for cause in ("relapse", "death"))
    np.testing.assert_allclose(relapse[:3], [1 / 8, 1 / 8 + 6 / 8 / 5, 1 / 8 + 6 / 8 / 5])
    np.testing.assert_allclose(death[:3], [1 / 8, 1 / 8, 1 / 8 + 3 / 5 / 4])
    np.testing.assert_allclose(found["one_minus_kaplan_meier", "relapse"][:3], [1 / 8, 1 - 7 / 8 * 4 / 5, 0.3])
    assert np.isnan(found.xs(14.0, level="time")).all()


def test_both_incidences_add_up_to_what_kaplan_meier_says_of_either() -> None:
    table = _incidence()
    either = curve_table(TIME, OWN | OTHER, at=[3, 5, 8])
    survival = either[(either["quantity"] == "survival") & (either["interval"] == "log")]["estimate"]
    both = table[(table["method"] == "aalen_johansen") & (table["time"] < 14)].groupby("time")["estimate"].sum()
    np.testing.assert_allclose(both, 1 - survival)
    own = table[table["level"] == "relapse"].pivot_table(index="time", columns="method", values="estimate")
    assert (own["one_minus_kaplan_meier"] >= own["aalen_johansen"] - 1e-12).all()
    assert (own["one_minus_kaplan_meier"] > own["aalen_johansen"]).any()


def test_limits_turn_with_the_curve() -> None:
    table = _incidence()
    inside = table[table["estimate"].between(0, 1, inclusive="neither")]
    assert (inside["lower"] < inside["estimate"]).all()
    assert (inside["estimate"] < inside["upper"]).all()


def test_what_the_method_cannot_do_is_said() -> None:
    late = _incidence(entry=TIME / 2)
    none = late[late["method"] == "aalen_johansen"]
    assert none["estimate"].isna().all()
    assert none["note"].str.startswith("not available: the library's").all()
    assert len(none) == 8
    assert late[(late["method"] != "aalen_johansen") & (late["time"] < 14)]["estimate"].notna().all()
    many = _incidence(weight=np.full(8, 50_000))
    assert many["note"].str.startswith("not available: 400,000 patients are more than 200,000").sum() == 8
    with pytest.raises(ValueError, match="both relapse and death"):
        incidence_table(TIME, OWN, OWN, own="relapse", other="death", at=[3])


def test_visits_and_other_worlds_are_in_the_notes() -> None:
    table = _incidence(interval_censored=OWN)
    known = table[table["time"] < 14]
    assert known["note"].str.contains("events between two visits are taken at the later visit").all()
    alone = known[known["method"] == "one_minus_kaplan_meier"]["note"]
    assert alone.str.startswith("as if death could not happen").all()
    assert not _incidence(interval_censored=OTHER)["note"].str.contains("visit").any()


def _results(evidence_kind: str = "simulated", *, deaths: int = 12) -> FitResults:
    """The patients of the report's tests; of those whose event is exact, so many died without progression."""
    table = patients()
    exact = np.flatnonzero((table["pfs_event"] == 1) & table["pfs_time_lower"].isna())[:deaths]
    died = np.zeros(len(table), dtype=bool)
    died[exact] = True
    table = table.assign(os_time=table["pfs_time"] + ~died * 5.0, os_event=died.astype(int))
    asked = question(table=table, evidence_kind=evidence_kind, endpoints={"os": {}, "pfs": _declared("event")})
    return results_of(written_fit(asked))


def test_a_report_shows_both_answers_beside_each_other() -> None:
    results = _results()
    rows = results.crosscheck[results.crosscheck["quantity"] == "cumulative_incidence"]
    assert rows["method"].value_counts().to_dict() == {"aalen_johansen": 4, "one_minus_kaplan_meier": 2}
    assert set(rows["evidence_kind"]) == {"simulated"}
    shares = rows.set_index(["method", "level", "time"])["estimate"].sort_index()
    curves = results.curves[(results.curves["factor"] == "") & (results.curves["interval"] == "log-log")]
    survival = curves[curves["quantity"] == "survival"].set_index("time")["estimate"]
    np.testing.assert_allclose(shares["aalen_johansen"].groupby("time").sum(), 1 - survival)
    shown = text_of(render_fit_page(results, draw_fit(results)))
    assert "Two events compete, progression and death without progression" in shown
    assert "1 minus Kaplan-Meier, as if death without progression could not happen" in shown
    assert f"{100 * shares['aalen_johansen', 'progression', 12.0]:.0f}%" in shown.split("Share of all patients")[1]


def test_a_report_without_competing_events_has_no_such_table() -> None:
    results = results_of(written_fit(question()))
    assert not (results.crosscheck["quantity"] == "cumulative_incidence").any()
    page = render_fit_page(results, draw_fit(results))
    assert "table-incidence" not in page
    assert "Aalen" not in page


def test_a_time_with_few_deaths_tells_nothing_of_real_patients() -> None:
    def known(results: FitResults) -> pd.Series:
        rows = results.crosscheck[results.crosscheck["quantity"] == "cumulative_incidence"]
        return rows.groupby("time")["estimate"].agg(lambda values: values.notna().all())

    def died(results: FitResults) -> list[int]:
        data = results.fit.question.cohort.follow_up["pfs"]
        return [int((data["competing"] & (data["time"] <= month)).sum()) for month in (3, 12)]

    results = _results("patients")
    assert [count >= 5 for count in died(results)] == known(results).tolist()
    few = _results("patients", deaths=4)
    assert not known(few).any()
    assert known(_results(deaths=4)).all()
    table = render_fit_page(few, draw_fit(few)).split('id="table-incidence"')[1].split("</table>")[0]
    assert table.count("not shown") == 6
