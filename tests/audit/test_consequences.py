"""Every consequence that the audit states is one whose truth is held here, against the code it speaks of."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

import ixa_bayes.study.audit as package
from ixa_bayes.study.audit import audit
from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.counts import count_tables, single_rates
from ixa_bayes.study.effects import printed_ratios
from ixa_bayes.study.ledger import read_study
from ixa_bayes.study.log_rank import log_rank_prints, n_events

from .faults import DETERMINISTIC
from .probable_faults import PROBABILISTIC
from .synthetic import synthetic_paper
from .test_checks import DEFINITION, EVENTS, HR, INCLUDING, SIZE, Make, _n, make

__all__ = ["make"]

ADJUDICATED = re.compile(r"The reanalysis uses .+ for \w+ wherever it needs this value")
RATE = {"endpoint": "exacerbation", "kind": "percent"}
P_ROW = {"endpoint": "time_to_relapse", "kind": "p_value", "factor": "eczema", "level": "yes", "comparator": "no"}


def test_the_sentences_are_these() -> None:
    """A new sentence fails here first: check it against the code before this number is raised."""
    assert len(then.CHECKED) == 43
    promises = r"\b(marked|treated as|shown beside the printed|will be)\b"
    assert not [text for text in then.CHECKED if re.search(promises, text, flags=re.IGNORECASE)]


def test_no_consequence_is_written_elsewhere() -> None:
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "consequence":
                written = [part for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
                assert not [part.value for part in written if isinstance(part.value, str) and " " in part.value], path


def _sentences(consequences: Iterable[str]) -> set[str]:
    """Consequences, those of a joined finding one by one."""
    found = set()
    for text in consequences:
        known = {sentence for sentence in then.CHECKED if sentence in text}
        found |= known if " ".join(sorted(known, key=text.index)) == text else {text}
    return found


def test_every_stated_consequence_is_one_of_them() -> None:
    stated = _sentences(audit(read_study("zhou2026"))["consequence"])
    for seed, fault in enumerate([*DETERMINISTIC, *PROBABILISTIC.values()]):
        paper = synthetic_paper(200_000 + seed)
        fault(paper)
        stated |= _sentences(audit(paper.study())["consequence"])
    assert {text for text in stated - then.CHECKED if not ADJUDICATED.match(text)} == set()
    assert len(stated & then.CHECKED) > 15


def test_adjudicated_values_name_other_counts_only_where_there_are() -> None:
    said = audit(read_study("zhou2026")).set_index("finding_id")["consequence"]
    beside = "what the printed value gives is listed beside it"
    assert beside in said["counts_behind_percentages-orr_pi_refractory_no"]
    assert beside not in said["counts_behind_percentages-fatigue"], "7 of 126 either way"
    assert beside not in said["stated_direction-p_os_ixa_rd_responder"], "a median gives no count"


def test_no_analysis_uses_a_row_that_is_printed_though_impossible(make: Make) -> None:
    marked = {"reading": "impossible", "note": "compared with the paper"}
    ratio = HR | {"value": "2.0", "lower": "1.0", "upper": "4.0"}
    rows = [SIZE, EVENTS, _n("eczema", "yes", 60), RATE | {"value": "33.3"}, ratio, P_ROW | {"p": "0.01"}]
    rows[-1] |= {"claim": "worse"}
    plain = make(*rows)
    wrong = [
        RATE | {"value": "130"},
        RATE | {"value": "50", "count": "70", "denominator": "60"},
        RATE | {"value": "150", "factor": "eczema", "level": "yes"},
        ratio | {"value": "5.0"},
        P_ROW | {"p": "1.4"},
        EVENTS | {"count": "50", "denominator": "49"},
    ]
    study = make(*rows, *(row | marked for row in wrong))
    findings = audit(study)
    named = findings[findings["check"].eq("impossible_as_printed")]
    assert named["ledger_rows"].tolist() == [f"row_{index}" for index in range(6, 12)]
    assert set(named["severity"]) == {"contradiction"}
    assert set(named["consequence"]) == {then.ROW_NOT_USED}
    assert named["printed"].tolist()[3] == "HR 5.0 (95% CI 1.0 to 4.0)"
    assert "must lie within its interval 1.0 to 4.0" in named["computed"].tolist()[3]
    rest = findings.drop(columns="finding_id")[findings["check"].ne("impossible_as_printed")]
    assert rest.to_dict("records") == audit(plain).drop(columns="finding_id").to_dict("records")
    for read in (single_rates, count_tables, printed_ratios, log_rank_prints):
        assert read(study) == read(plain), read.__name__


def test_an_impossible_print_names_the_value_that_replaces_it(make: Make) -> None:
    adjudicated = '[[adjudications]]\nrow = "row_1"\nfield = "value"\nused = "33.3"\nreason = "it fits the count"\n'
    printed = RATE | {"value": "133.3", "reading": "impossible", "note": "compared with the paper"}
    study = make(SIZE, printed, definition=DEFINITION + adjudicated)
    assert audit(study)["consequence"].tolist() == ["The reanalysis uses 33.3 for row_1 wherever it needs this value."]
    assert single_rates(study)[0].candidates == ((42, 126),)


def test_counts_that_exclude_each_other_are_not_used(make: Make) -> None:
    count = {"endpoint": "exacerbation", "kind": "count"}
    study = make(SIZE, count | {"count": "50"}, count | {"count": "51"})
    assert audit(study)["consequence"].tolist() == [then.COUNTS_EXCLUDE_EACH_OTHER]
    assert single_rates(study)[0].candidates == ()


def test_a_count_goes_before_prints_of_its_percentage(make: Make) -> None:
    study = make(SIZE, RATE | {"value": "5.6", "count": "7"}, RATE | {"value": "5"})
    assert then.COUNT_OR_ALL_PRINTS in set(audit(study)["consequence"])
    assert single_rates(make(SIZE, RATE | {"value": "5.6", "count": "7"}))[0].candidates == ((7, 126),)
    both = single_rates(make(SIZE, RATE | {"value": "34"}, RATE | {"value": "33.3"}))[0].candidates
    assert both == (), "no count prints as both"


def test_each_endpoint_is_analysed_with_its_own_events(make: Make) -> None:
    deaths = EVENTS | {"endpoint": "survival", "count": "50"}
    study = make(SIZE, EVENTS | {"endpoint": "event_free"}, deaths, definition=INCLUDING)
    assert audit(study)["consequence"].tolist() == [then.EACH_ENDPOINT_S_EVENTS]
    assert [n_events(study, "all", name).exact for name in ("event_free", "survival")] == [42, 50]


def test_printed_events_are_used_before_the_censored(make: Make) -> None:
    censored = {"endpoint": "time_to_relapse", "kind": "censored", "count": "90"}
    study = make(SIZE, EVENTS, censored)
    assert then.EVENTS_FIRST in set(audit(study)["consequence"])
    assert n_events(study, "all", "time_to_relapse").values == (42,)


def test_each_interval_and_the_p_value_of_most_digits_are_reanalysed(make: Make) -> None:
    ratios = [
        HR | {"value": "2.0", "lower": "1.2", "upper": "3.3"},
        HR | {"value": "2.01", "lower": "1.21", "upper": "3.34"},
    ]
    study = make(SIZE, *ratios)
    assert set(audit(study)["consequence"]) >= {then.EACH_INTERVAL}
    assert [found.hazard_ratio.text for found in printed_ratios(study)[0]] == ["2.01"]
    apart = HR | {"value": "2.11", "lower": "1.21", "upper": "3.34"}
    found_apart = printed_ratios(make(SIZE, *ratios, apart))[0]
    assert sorted(found.hazard_ratio.text for found in found_apart) == ["2.01", "2.11"]
    tests = [P_ROW | {"p": p, "claim": "worse"} for p in ("<0.05", "0.03", "0.031")]
    study = make(SIZE, EVENTS, _n("eczema", "yes", 21), *tests)
    assert set(audit(study)["consequence"]) >= {then.MOST_DIGITS, then.LOG_RANK_WHERE_KNOWN}
    assert [found.p.number.text for found in log_rank_prints(study)[0]] == ["0.031"]


@pytest.mark.parametrize("counted", [True, False])
def test_a_total_is_left_out_only_where_all_its_components_are_counted(make: Make, counted: bool) -> None:
    definition = DEFINITION.replace('label = "Exacerbation"', 'label = "Exacerbation"\ncomponents = ["admission"]')
    part = (
        {"endpoint": "admission", "kind": "count", "count": "6"}
        if counted
        else RATE | {"endpoint": "admission", "value": "4.8"}
    )
    study = make(SIZE, RATE | {"kind": "count", "count": "5"}, part, definition=definition)
    assert then.COMPONENTS_ALONE in set(audit(study)["consequence"])
    assert bool(single_rates(study)[0].candidates) == (not counted)
