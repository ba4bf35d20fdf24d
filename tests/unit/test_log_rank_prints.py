from ixa_bayes.study.log_rank import log_rank_prints, n_events

from .conftest import DEFINITION, StudyMaker

N = {"endpoint": "patients", "kind": "count"}
CENSORED = {"endpoint": "rfs", "kind": "censored", "count": "12"}
P = {"factor": "sex", "level": "female", "comparator": "male", "endpoint": "rfs", "kind": "p_value"}
MARKER = {"factor": "marker", "level": "yes", "comparator": "no"}
SIZES = [N | {"count": "126"}, N | {"factor": "sex", "level": "female", "count": "41"}]


def _median(level: str, value: str) -> dict[str, str]:
    return {"factor": "sex", "level": level, "endpoint": "rfs", "kind": "median", "value": value}


def test_events_are_everyone_who_is_not_censored(make_study: StudyMaker) -> None:
    study = make_study(*SIZES, CENSORED)
    assert n_events(study, "all", "rfs").exact == 114
    study = make_study(*SIZES, CENSORED, {"endpoint": "rfs", "kind": "events", "count": "110"})
    assert n_events(study, "all", "rfs").exact == 110


def test_a_shorter_median_is_a_higher_hazard(make_study: StudyMaker) -> None:
    study = make_study(*SIZES, CENSORED, P | {"p": "0.0015"}, _median("female", "39.7"), _median("male", "not reached"))
    (found,), missing = log_rank_prints(study)
    assert (found.direction, found.n_level, found.n_comparator, found.n_events) == (1, 41, 85, 114)
    assert found.medians == ("39.7", "not reached")
    assert not missing


def test_a_longer_median_is_a_lower_hazard(make_study: StudyMaker) -> None:
    study = make_study(*SIZES, CENSORED, P | {"p": "0.0015"}, _median("female", "9"), _median("male", "8"))
    assert log_rank_prints(study)[0][0].direction == -1


def test_one_test_with_its_groups_named_either_way_is_one_comparison(make_study: StudyMaker) -> None:
    turned = P | {"level": "male", "comparator": "female"}
    study = make_study(*SIZES, CENSORED, P | {"p": "<0.05"}, turned | {"p": "0.02", "claim": "better"})
    (found,), missing = log_rank_prints(study)
    assert (found.comparison.level, found.p.text, found.direction) == ("female", "0.02", 1)
    assert not missing


def test_without_medians_the_words_decide(make_study: StudyMaker) -> None:
    for claim, direction in (("worse", 1), ("better", -1), ("higher", -1), ("lower", 1)):
        study = make_study(*SIZES, CENSORED, P | {"p": "0.02", "claim": claim})
        assert log_rank_prints(study)[0][0].direction == direction
    shorter_is_better = DEFINITION.replace(
        'kind = "time_to_event"\nbetter = "higher"', 'kind = "time_to_event"\nbetter = "lower"'
    )
    study = make_study(*SIZES, CENSORED, P | {"p": "0.02", "claim": "worse"}, definition=shorter_is_better)
    assert log_rank_prints(study)[0][0].direction == -1


def test_repeats_join_and_the_most_exact_p_is_used(make_study: StudyMaker) -> None:
    study = make_study(
        *SIZES, CENSORED, P | {"p": "<0.001", "claim": "worse"}, P | {"p": "0.0002"}, P | {"p": "0.00018"}
    )
    (found,), _ = log_rank_prints(study)
    assert found.p.text == "0.00018"
    assert {"row_3", "row_4", "row_5"} <= set(found.ledger_rows)


def test_what_is_missing_is_said(make_study: StudyMaker) -> None:
    cases = [
        ([SIZES[0], CENSORED, P | {"p": "0.02"}], "patients in each group"),
        ([*SIZES, P | {"p": "0.02", "claim": "worse"}], "number of events"),
        ([*SIZES, CENSORED | {"count": "130"}, P | {"p": "0.02", "claim": "worse"}], "number of events"),
        ([*SIZES, CENSORED | {"count": "126"}, P | {"p": "0.02", "claim": "worse"}], "number of events"),
        (
            [*SIZES, {"endpoint": "rfs", "kind": "events", "count": "130"}, P | {"p": "0.02", "claim": "worse"}],
            "does not exceed the patients",
        ),
        (
            [SIZES[0], CENSORED, N | {"factor": "marker", "level": "yes", "count": "61"}, P | MARKER | {"p": "0.24"}],
            "patients in the group “absent”",
        ),
        ([*SIZES, CENSORED, P | {"p": "0.02"}], "which group did worse"),
        ([*SIZES, CENSORED, P | {"p": "0.02", "level": "", "comparator": ""}], "more than two groups"),
        (
            [
                *SIZES,
                CENSORED,
                N | {"factor": "marker", "level": "yes", "count": "61"},
                N | {"factor": "marker", "level": "no", "count": "50"},
                P | MARKER | {"p": "0.24", "claim": "worse"},
            ],
            "among the patients compared",
        ),
    ]
    for rows, reason in cases:
        found, missing = log_rank_prints(make_study(*rows))
        assert not found
        assert reason in missing[0].missing
