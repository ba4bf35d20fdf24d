"""What check-cohort tells of a cohort, what it keeps back, and the template that new-cohort hands out."""

import itertools
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ixa_bayes.cli import app
from ixa_bayes.cohort.description import (
    CohortDescription,
    Columns,
    CompetingDescription,
    CovariateDescription,
    EndpointDescription,
)
from ixa_bayes.cohort.notes import notes_of
from ixa_bayes.cohort.summary import SMALL_CELL, n_patients, of_patients, shown_counts, summary_lines
from ixa_bayes.cohort.table import Cohort, read_cohort
from ixa_bayes.cohort.template import FILES, write_cohort_template
from ixa_bayes.crosscheck.situations import named_situations
from ixa_bayes.errors import InputError
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.design_matrix import design_of
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.study.locate import builtin_names, builtin_root

RUN = CliRunner()


def cohort(**columns: list[object]) -> Cohort:
    size = len(next(iter(columns.values())))
    table = {"patient": range(size), "os_time": np.arange(size) + 1.0, "os_event": [i % 2 for i in range(size)]}
    return read_cohort(pd.DataFrame(table | columns))


def lines(of: Cohort, *, show_small_cells: bool = False) -> list[str]:
    medians = dict.fromkeys(of.follow_up, 12.0)
    return list(summary_lines(of, median_follow_up=medians, show_small_cells=show_small_cells))


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ([100, 26], ["100", "26"]),
        ([122, 4], ["not shown", "<5"]),
        ([4, 100, 22], ["<5", "not shown", "22"]),
        ([3, 2, 121], ["<5", "<5", "not shown"]),
        ([1, 1, 9, 60], ["<5", "<5", "not shown", "60"]),
        ([126, 0], ["126", "0"]),
        ([1234567, 5], ["1,234,567", "5"]),
        ([2], ["<5"]),
        ([2, 0], ["<5", "0"]),
    ],
)
def test_small_counts_are_kept_back_and_cannot_be_subtracted(counts: list[int], shown: list[str]) -> None:
    assert shown_counts(counts, kept_back=True) == shown
    assert shown_counts(counts, kept_back=False) == [f"{count:,}" for count in counts]


def test_levels_are_counted_by_weight_with_the_missing() -> None:
    found = cohort(female=[1, 0, 1, None, 0, 0], weight=[10, 20, 30, 40, 50, 60])
    assert "female, binary: 0 (reference) 130, 1 40, missing 40" in lines(found)
    assert n_patients(found) == 210
    assert "os: 120 events, median follow-up 12.0 months" in lines(found)


def test_numbers_are_told_by_quartiles_and_not_by_extremes() -> None:
    found = cohort(gfr=[20.0, 40.0, 60.0, 80.0, 100.0, None])
    assert "gfr, continuous: median 60, quartiles 40 and 80, missing <5" in lines(found)
    assert lines(found, show_small_cells=True)[1].endswith("missing 1")
    weighted = cohort(gfr=[20.0, 40.0, 60.0], weight=[1, 1, 8])
    assert "median 60, quartiles 60 and 60" in lines(weighted)[1]


def test_words_without_a_declaration_are_not_repeated() -> None:
    found = cohort(surname=["Adam", "Berg", "Claus", "Dorn"])
    told = "\n".join(lines(found))
    assert "surname, categorical without a reference level: 4 different words, missing 0" in told
    assert "Adam" not in told


def test_small_numbers_of_events_are_kept_back() -> None:
    found = cohort(x=[1.5, 2.5, 3.5, 4.5])
    assert lines(found)[0].startswith("os: <5 events")
    assert lines(found, show_small_cells=True)[0].startswith("os: 2 events")


@pytest.mark.parametrize("total", [7, 10, 13, 17, 24])
def test_no_small_count_follows_from_those_that_are_told(total: int) -> None:
    """Nor for who knows the rule: whatever is told of a total, each small count may have been another."""
    behind: dict[tuple[str, ...], list[tuple[int, ...]]] = {}
    for first, second in itertools.product(range(total + 1), repeat=2):
        counts = (first, second, total - first - second)
        if min(counts) >= 0:
            behind.setdefault(tuple(shown_counts(counts, kept_back=True)), []).append(counts)
    for told, possible in behind.items():
        for index, cell in enumerate(told):
            n_small = told.count("<5")
            hidden = total - sum(int(other) for other in told if other.isdecimal())
            if cell == "<5" and "not shown" in told and hidden > n_small + SMALL_CELL:  # 1 and 5 are 6 in one way only
                assert len({counts[index] for counts in possible}) > 1, (told, possible)


@pytest.mark.parametrize(
    ("n", "n_events", "told"),
    [
        (80, 77, "os: all but <5 with the event"),
        (80, 3, "os: <5 events"),
        (80, 80, "os: 80 events"),
        (80, 75, "os: 75 events"),
        (4, 2, "os: <5 events"),
    ],
)
def test_events_do_not_tell_how_few_were_censored(n: int, n_events: int, told: str) -> None:
    table = {"patient": range(n), "os_time": np.arange(n) + 1.0, "os_event": [int(i < n_events) for i in range(n)]}
    found = read_cohort(pd.DataFrame(table))
    assert lines(found)[0].startswith(f"{told}, median")
    assert lines(found, show_small_cells=True)[0].startswith(f"os: {n_events} events")


def test_parts_of_events_and_of_patients_do_not_tell_the_rest() -> None:
    n = 40
    table = pd.DataFrame({"patient": range(n), "os_time": np.arange(n) + 2.0, "os_event": [i % 2 for i in range(n)]})
    table["os_time_lower"] = np.where((table["os_event"] == 1) & (table.index > 5), table["os_time"] - 1, np.nan)
    table["os_entry"] = np.where(table.index == 39, 0.0, 0.5)
    table["marker"] = np.where(table.index < 3, 50.0, np.nan)
    told = lines(read_cohort(table))
    assert "20 events" in told[0]
    assert "all but <5 event times known to an interval" in told[0]
    assert "all but <5 with delayed entry" in told[0]
    assert told[1] == "marker, continuous: fewer than 5 patients with a value, missing all but <5"
    words = {"0": "alive", "1": "died", "2": "progressed"}
    coded = [words[str(1 if i < 17 else 2 if i < 20 else 0)] for i in range(n)]
    for counts_as, expected in (("event", "all but <5 of them death"), ("censored", "17 death (censored)")):
        competing = {"own": "progression", "other": "death", "counts_as": counts_as, "event_is": ["died"]}
        endpoint = {"event_is": ["progressed"], "censored_is": ["alive"], "competing": competing}
        found = read_cohort(
            table.assign(os_event=coded)[["patient", "os_time", "os_event"]],
            description={"endpoints": {"os": endpoint}},
        )
        assert expected in lines(found)[0]


def test_rows_of_one_patient_are_one_follow_up() -> None:
    table = pd.DataFrame(
        {
            "patient": ["A", "B", "A", "A"],
            "os_entry": [7, 2, 0, 5],
            "os_time": [9, 4, 5, 6],
            "os_event": [1, 1, 0, 0],
            "weight": [3, 1, 3, 3],
        }
    )
    found = read_cohort(table)
    assert of_patients(found.follow_up["os"]).to_dict("list") == {
        "entry": [0.0, 2.0],
        "time": [9.0, 4.0],
        "event": [True, True],
        "weight": [3, 1],
    }
    assert n_patients(found) == 4


def notes(of: Cohort, *, kept_back: bool = True) -> list[str]:
    return list(notes_of(of, kept_back=kept_back))


def test_covariates_that_are_alike_are_named_in_the_words_of_a_fit() -> None:
    rng = np.random.default_rng(1)
    female, age = rng.integers(0, 2, 30), rng.normal(60, 9, 30).round(1)
    table = {"female": female, "male": 1 - female, "age": age, "age_in_months": age * 12, "treated": np.ones(30)}
    found = cohort(**{name: list(values) for name, values in table.items()})
    design = found.covariates.astype(float)
    data = found.follow_up["os"]
    situations = named_situations(data["time"].to_numpy(), data["event"].to_numpy(), design=design)
    words = {one.words for one in situations if one.kind in ("constant_covariate", "duplicated_covariates")}
    assert len(words) == 3
    assert set(notes(found)) == words
    few = cohort(**{name: [*values[:4], *[None] * 26] for name, values in table.items()})
    assert len(notes(few)) == 1, "four values may agree by chance"


def test_levels_are_compared_as_a_model_would_code_them() -> None:
    stage, sex = ["I", "II", "III"] * 4, [0, 0, 1] * 4
    table = {"patient": range(12), "os_time": np.arange(12) + 1.0, "os_event": [0, 1] * 6, "stage": stage, "late": sex}
    levels = {"kind": "ordered", "levels": ["I", "II", "III", "IV"]}
    found = read_cohort(pd.DataFrame(table), description={"covariates": {"stage": levels}})
    assert notes(found) == [
        "nobody has IV of stage: of its hazard ratio only the prior would speak.",
        "stage[III] and late say the same of every patient: leave one of them out.",
    ]


def test_a_cut_off_that_ends_follow_up_or_is_missing_is_noted() -> None:
    table = {
        "patient": range(8),
        "start": ["2020-01-01"] * 8,
        "died": ["2020-05-01", *[""] * 7],
        "seen": ["2020-05-01", "2020-06-01", *["2020-08-01"] * 6],
    }
    endpoint = {"start_date": "start", "event_date": "died", "last_contact_date": "seen"}
    found = read_cohort(pd.DataFrame(table), description={"endpoints": {"os": endpoint}})
    assert notes(found)[0].startswith("os has no cut_off_date")
    endpoint["cut_off_date"] = "2020-07-01"
    found = read_cohort(pd.DataFrame(table), description={"endpoints": {"os": endpoint}})
    assert notes(found, kept_back=False)[0].startswith("6 seen after the data cut-off of os")
    assert notes(found)[0].startswith("all but <5 seen after the data cut-off of os")


def test_check_cohort_prints_notes_and_the_template_has_none(tmp_path: Path) -> None:
    write_cohort_template(tmp_path / "new", name="new")
    assert "Note:" not in RUN.invoke(app, ["check-cohort", str(tmp_path / "new")]).output
    file = tmp_path / "t.csv"
    file.write_text("patient,os_time,os_event,x\n" + "".join(f"P{i},{i + 1},1,1\n" for i in range(9)), encoding="utf-8")
    assert "\nNote: x is the same for everybody" in RUN.invoke(app, ["check-cohort", str(file)]).output


def test_check_cohort_tells_what_the_table_holds() -> None:
    done = RUN.invoke(app, ["check-cohort", "example_cohort"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("126 simulated patients like those of the index study\n")
    assert "example_cohort: 126 patients (simulated) in 126 rows, no fault found." in done.output
    assert "triple_class 21" in done.output
    assert "median follow-up 25.8 months" in done.output
    assert "103 event times known to an interval" in done.output


@pytest.mark.parametrize("event", [0, 1])
def test_check_cohort_without_an_event_and_without_a_censoring(tmp_path: Path, event: int) -> None:
    file = tmp_path / "t.csv"
    file.write_text(
        "patient,os_time,os_event\n" + "".join(f"P{i},{i + 1},{event}\n" for i in range(9)), encoding="utf-8"
    )
    done = RUN.invoke(app, ["check-cohort", str(file)])
    assert done.exit_code == 0, done.output
    assert ("median follow-up not reached" in done.output) == bool(event)
    assert f"os: {9 * event} events" in done.output


def test_check_cohort_ends_with_the_command_to_fit(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["check-cohort", "example_cohort"])
    assert done.output.splitlines()[-2:] == [
        "Next: ixa-bayes fit pfs_weibull --cohort example_cohort",
        "Next: ixa-bayes fit os_weibull --cohort example_cohort",
    ]
    file = tmp_path / "my table.csv"
    file.write_text("patient,relapse_time,relapse_event\nA,1,1\nB,2,0\n", encoding="utf-8")
    done = RUN.invoke(app, ["check-cohort", str(file)])
    assert done.output.splitlines()[-2:] == [
        f"Next: ixa-bayes new-model my_model.toml --cohort '{file}'",
        f"Next: ixa-bayes fit my_model.toml --cohort '{file}'",
    ]


def test_a_built_in_model_is_not_offered_to_a_cohort_without_its_covariates(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("patient,os_time,os_event,age\nA,1,1,60\nB,2,0,70\n", encoding="utf-8")
    done = RUN.invoke(app, ["check-cohort", str(file)])
    assert done.exit_code == 0, done.output
    assert "os_weibull" not in done.output
    assert "ixa-bayes new-model my_model.toml" in done.output


def test_check_cohort_shows_ids_only_when_asked(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("patient,os_time,os_event\nAnna,-1,1\n", encoding="utf-8")
    for arguments, told in (([], False), (["--show-ids"], True)):
        done = RUN.invoke(app, ["check-cohort", str(file), *arguments])
        assert isinstance(done.exception, InputError)
        assert ("Anna" in str(done.exception)) == told


def test_list_shows_cohorts() -> None:
    assert "cohorts  example_cohort" in RUN.invoke(app, ["list"]).output


def test_check_cohort_lists_every_fault_ends_with_code_2_and_loads_no_sampler(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("patient,os_time,os_event\nAnna,-1,1\nBert,5,2\nCleo,5,0\nDora,5,1\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ixa_bayes", "check-cohort", str(file)], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "line 2, column 'os_time': found '-1'" in done.stderr
    assert "line 3, column 'os_event': found '2'" in done.stderr
    assert "Traceback" not in done.stderr
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom ixa_bayes.cli import app\n"
        "assert CliRunner().invoke(app, ['check-cohort', 'example_cohort']).exit_code == 0\n"
        "assert not {'arviz', 'pymc', 'nutpie', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# The template ----------------------------------------------------------------------------------


def test_the_template_reads_without_a_fault(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["new-cohort", str(tmp_path / "new"), "--name", "hospital"])
    assert done.exit_code == 0, done.output
    found = read_cohort(tmp_path / "new")
    assert (found.name, found.evidence_kind) == ("hospital", "patients")
    assert sorted(found.follow_up) == ["os", "pfs"]
    assert "remarks" not in found.covariates
    assert {covariate.kind for covariate in found.declared.values()} == {
        "binary",
        "continuous",
        "categorical",
        "ordered",
    }
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(FILES)


@pytest.mark.parametrize("model", [name for name in builtin_names("model") if name.startswith(("pfs_", "os_"))])
def test_the_template_serves_the_built_in_models(tmp_path: Path, model: str) -> None:
    write_cohort_template(tmp_path, name="new")
    analysis = read_model(model).analysis
    assert isinstance(analysis, SurvivalAnalysis)
    design = design_of(read_cohort(tmp_path), analysis)
    assert len(design.matrix) + design.n_lost == 6
    assert list(design.terms) == list(analysis.covariates)


def test_the_template_shows_every_key(tmp_path: Path) -> None:
    write_cohort_template(tmp_path, name="new")
    text = (tmp_path / "cohort.toml").read_text(encoding="utf-8")
    for model in (CohortDescription, EndpointDescription, CompetingDescription, CovariateDescription):
        for key in model.model_fields:
            assert f"{key} = " in text or f"[{key}" in text, key


def test_the_template_writes_the_defaults_as_they_are(tmp_path: Path) -> None:
    write_cohort_template(tmp_path, name="new")
    content = tomllib.loads((tmp_path / "cohort.toml").read_text(encoding="utf-8"))
    default = CohortDescription()
    for key in ("evidence_kind", "decimal", "encoding", "date_format", "time_unit", "long_follow_up"):
        assert content[key] == getattr(default, key)


def test_the_template_overwrites_nothing_unasked(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        write_cohort_template(tmp_path, name="new")
    assert [Path(problem.where).name for problem in caught.value.problems] == ["patients.csv"]
    assert [path.name for path in tmp_path.iterdir()] == ["patients.csv"]
    write_cohort_template(tmp_path, name="new", force=True)
    assert read_cohort(tmp_path).name == "new"


@pytest.mark.parametrize("name", ["", "Two Words", "9lives", "a" * 61])
def test_a_bad_name_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="lower-case letter"):
        write_cohort_template(tmp_path / "new", name=name)
    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="must be a folder"):
        write_cohort_template(tmp_path / "new", name="new", force=True)


def test_the_documentation_names_every_key_and_column() -> None:
    text = (builtin_root() / "docs" / "cohort.md").read_text(encoding="utf-8")
    for model in (CohortDescription, EndpointDescription, CompetingDescription, CovariateDescription, Columns):
        for key in model.model_fields:
            assert any(mark in text for mark in (f"`{key}`", f"`{key}.", f"`columns.{key}`", f"`[{key}.")), key
    for suffix in ("time", "event", "entry", "time_lower", "time_upper"):
        assert f"`<endpoint>_{suffix}`" in text
