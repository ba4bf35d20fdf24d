import pytest

from ixa_bayes.errors import InputError
from ixa_bayes.study.counts import agreeing_with_p, count_table, single_rates
from ixa_bayes.study.ledger import Study
from ixa_bayes.study.sizes import evaluable, sizes

from .conftest import DEFINITION, StudyMaker

N = {"endpoint": "patients", "kind": "count"}
RATE = {"endpoint": "response", "kind": "percent"}


def _female(**cells: str) -> dict[str, str]:
    return {"factor": "sex", "level": "female"} | cells


def _male(**cells: str) -> dict[str, str]:
    return {"factor": "sex", "level": "male"} | cells


def test_size_of_a_level_follows_by_subtraction(make_study: StudyMaker) -> None:
    study = make_study(N | {"count": "126"}, _female(**N, count="41"))
    assert sizes(study, "all").exact == 126
    assert sizes(study, "all", factor="sex", level="male").exact == 85
    assert set(sizes(study, "all", factor="sex", level="male").ledger_rows) == {"row_0", "row_1"}


def test_size_from_a_percentage_alone(make_study: StudyMaker) -> None:
    study = make_study(N | {"count": "126"}, _female(endpoint="patients", kind="percent", value="16.7"))
    assert sizes(study, "all", factor="sex", level="female").exact == 21


def test_size_of_an_incomplete_factor_is_only_bounded(make_study: StudyMaker) -> None:
    study = make_study(N | {"count": "10"}, N | {"factor": "marker", "level": "yes", "count": "4"})
    assert sizes(study, "all", factor="marker", level="no").values == tuple(range(11))


RESPONDER = DEFINITION.replace(
    "[endpoints.had_scan]",
    """[factors.responder]
label = "Responder"
levels = { yes = "responder", no = "non-responder" }
complete = false
split_by = { endpoint = "response", having = "yes", lacking = "no" }
[endpoints.had_scan]""",
)


def test_sizes_of_levels_that_an_endpoint_defines_are_its_counts(make_study: StudyMaker) -> None:
    scanned = {"endpoint": "had_scan", "kind": "count", "count": "122"}
    rows = [N | {"count": "126"}, scanned, RATE | {"value": "52.5"}]
    study = make_study(*rows, definition=RESPONDER)
    assert sizes(study, "all", factor="responder", level="yes").exact == 64
    assert sizes(study, "all", factor="responder", level="no").exact == 58
    assert sizes(study, "all", factor="responder", level="no").ledger_rows == ("row_2", "row_1")
    printed = N | {"factor": "responder", "level": "no", "count": "62"}
    study = make_study(*rows, printed, definition=RESPONDER)
    assert sizes(study, "all", factor="responder", level="no").exact == 62, "a printed size goes before"
    study = make_study(*rows[:2], definition=RESPONDER)
    assert sizes(study, "all", factor="responder", level="yes").exact is None, "no rate, no size"


@pytest.mark.parametrize(
    ("old", "new", "key", "rule", "mend"),
    [
        (
            '"response", h',
            '"respons", h',
            "split_by.endpoint",
            "must be an endpoint of kind binary",
            "write 'response'",
        ),
        ('"response", h', '"rfs", h', "split_by.endpoint", "must be an endpoint of kind binary", "correct the name"),
        (
            'having = "yes"',
            'having = "yess"',
            "split_by.having",
            "must be a level of the factor: yes, no",
            "write 'yes'",
        ),
        (
            'lacking = "no"',
            'lacking = "yes"',
            "split_by",
            "names both levels of a factor that has two",
            "name the level",
        ),
    ],
)
def test_faults_of_a_split(make_study: StudyMaker, old: str, new: str, key: str, rule: str, mend: str) -> None:
    with pytest.raises(InputError) as error:
        make_study(N | {"count": "126"}, definition=RESPONDER.replace(old, new))
    problem = error.value.problems[0]
    assert problem.where.endswith(f"key factors.responder.{key}")
    assert problem.rule.startswith(rule)
    assert problem.mend.startswith(mend)


def test_contradictory_sizes_are_empty(make_study: StudyMaker) -> None:
    study = make_study(N | {"count": "10"}, N | {"count": "11"})
    assert sizes(study, "all").values == ()


def test_evaluable_of_a_level_is_bounded_by_all_missing(make_study: StudyMaker) -> None:
    study = make_study(
        N | {"count": "126"}, {"endpoint": "had_scan", "kind": "count", "count": "122"}, _female(**N, count="41")
    )
    assert evaluable(study, "all", "response").exact == 122
    assert evaluable(study, "all", "response", factor="sex", level="female").values == tuple(range(37, 42))


@pytest.fixture
def partition(make_study: StudyMaker) -> StudyMaker:
    """Two levels of 41 and 85 patients with the given printed percentages."""

    def make(female: str, male: str, *more: dict[str, str]) -> Study:
        return make_study(
            N | {"count": "126"},
            {"endpoint": "had_scan", "kind": "count", "count": "122"},
            RATE | {"value": "52.5", "count": "64"},
            _female(**N, count="41"),
            _female(**RATE, value=female),
            _male(**RATE, value=male),
            *more,
        )

    return make


def test_partition_leaves_one_table(partition: StudyMaker) -> None:
    table = count_table(partition("28.9", "63.1"), "all", "response", "sex")
    assert table is not None
    assert table.status == "unique"
    assert table.candidates[0].responders == (11, 53)
    assert table.candidates[0].evaluable == (38, 84)
    assert set(table.ledger_rows) == {f"row_{i}" for i in range(6)}


def test_impossible_percentage_is_named_with_the_value_that_fits(partition: StudyMaker) -> None:
    table = count_table(partition("28.9", "61.1"), "all", "response", "sex")
    assert table is not None
    assert table.status == "impossible"
    assert [(culprit.row, culprit.printed, culprit.fits) for culprit in table.culprits] == [
        ("row_5", "61.1", ("53/84 = 63.1%",))
    ]


def test_a_wrong_size_is_accused_with_the_sizes_that_fit(make_study: StudyMaker) -> None:
    # 28.9% and 63.1% of 122 evaluable join for 38 and 84 (see above): of 126 patients, four without a scan, the
    # level has 38 to 42, whatever is printed of it.
    rows = [
        N | {"count": "126"},
        {"endpoint": "had_scan", "kind": "count", "count": "122"},
        RATE | {"value": "52.5", "count": "64"},
        _female(**N, count="14"),
        _female(**RATE, value="28.9"),
        _male(**RATE, value="63.1"),
    ]
    table = count_table(make_study(*rows), "all", "response", "sex")
    assert table is not None
    (culprit,) = table.culprits
    assert (culprit.row, culprit.column, culprit.printed) == ("row_3", "count", "14")
    assert culprit.counts == frozenset(range(38, 43))
    assert culprit.fits == ("38", "39", "40", "41", "one of 1 more")
    assert count_table(make_study(*rows[:3], *rows[4:]), "all", "response", "sex") is not None


def test_a_number_evaluable_can_be_the_culprit(make_study: StudyMaker) -> None:
    scanned = {"endpoint": "had_scan", "kind": "count"}
    rows = [N | {"count": "126"}, scanned | {"count": "122"}, RATE | {"value": "52.5", "count": "64"}]
    levels = [_female(**N, count="41"), _female(**RATE, value="28.9"), _male(**RATE, value="63.1")]
    table = count_table(make_study(*rows, *levels, _female(**scanned, count="30")), "all", "response", "sex")
    assert table is not None
    assert [(c.row, c.counts) for c in table.culprits] == [("row_6", frozenset({38}))]


def test_a_wrong_count_is_accused_and_its_own_percentage_tells_the_right_one(make_study: StudyMaker) -> None:
    rows = [N | {"count": "126"}, _female(**N, count="41")]
    whole = {"endpoint": "toxicity", "kind": "percent", "count": "46", "value": "50.8"}
    levels = [
        {"factor": "sex", "level": level, "endpoint": "toxicity", "kind": "percent", "value": value}
        for level, value in (("female", "26.8"), ("male", "62.4"))
    ]
    table = count_table(make_study(*rows, whole, *levels), "all", "toxicity", "sex")
    assert table is not None
    assert ("row_2", frozenset({64})) in [(c.row, c.counts) for c in table.culprits]


def test_the_total_of_an_open_table_is_not_accused(make_study: StudyMaker) -> None:
    rows = [N | {"count": "20"}, {"endpoint": "toxicity", "kind": "count", "count": "2"}]
    levels = [
        N | {"factor": "marker", "level": level, "count": "8", "endpoint": endpoint}
        for level in ("yes", "no")
        for endpoint in ("patients", "toxicity")
    ]
    table = count_table(make_study(*rows, *levels), "all", "toxicity", "marker")
    assert table is not None
    assert table.status == "impossible"
    assert table.culprits == (), "either level exceeds the total, and no total follows from two levels of more"


@pytest.mark.parametrize(("responders", "status"), [((2, 3), "impossible"), ((3, 3), "unique")])
def test_what_an_open_table_leaves_over_cannot_respond_more_often_than_it_counts(
    make_study: StudyMaker, responders: tuple[int, int], status: str
) -> None:
    """Ten patients, eight of them with the endpoint; two levels of four leave two, who have it twice at most."""
    cells = {"patients": (4, 4), "toxicity": responders}
    rows = [N | {"count": "10"}, {"endpoint": "toxicity", "kind": "count", "count": "8"}]
    levels = [
        N | {"factor": "marker", "level": level, "endpoint": endpoint, "count": str(counts[index])}
        for endpoint, counts in cells.items()
        for index, level in enumerate(("yes", "no"))
    ]
    table = count_table(make_study(*rows, *levels), "all", "toxicity", "marker")
    assert table is not None
    assert table.status == status


def test_truncated_percentages_are_read_only_where_no_rounded_table_exists(make_study: StudyMaker) -> None:
    rows = [
        N | {"count": "9"},
        {"endpoint": "response", "kind": "count", "count": "5"},
        _female(**N, count="3"),
        _female(**RATE, value="66.6"),
        _male(**RATE, value="50.0"),
    ]
    definition_rows = make_study(*rows, {"endpoint": "had_scan", "kind": "count", "count": "9"})
    table = count_table(definition_rows, "all", "response", "sex")
    assert table is not None
    assert [(c.responders, c.convention) for c in table.candidates] == [((2, 3), "truncation")]


def test_a_level_without_a_print_follows_from_the_total(make_study: StudyMaker) -> None:
    study = make_study(
        N | {"count": "30"},
        {"endpoint": "toxicity", "kind": "count", "count": "12"},
        *(N | {"factor": "stage", "level": level, "count": "10"} for level in ("one", "two")),
        *(
            {"factor": "stage", "level": level, "endpoint": "toxicity", "kind": "percent", "value": value}
            for level, value in (("one", "50"), ("two", "40"))
        ),
    )
    table = count_table(study, "all", "toxicity", "stage")
    assert table is not None
    assert table.levels == ("one", "two", "three")
    assert [c.responders for c in table.candidates] == [(5, 4, 3)]


def test_printed_p_chooses_among_tables_of_an_incomplete_factor(make_study: StudyMaker) -> None:
    study = make_study(
        N | {"count": "59"},
        {"endpoint": "had_scan", "kind": "count", "count": "57"},
        {"endpoint": "response", "kind": "count", "count": "28"},
        RATE | {"factor": "marker", "level": "yes", "value": "35.7"},
        RATE | {"factor": "marker", "level": "no", "value": "70.0"},
        {
            "factor": "marker",
            "level": "yes",
            "comparator": "no",
            "endpoint": "response",
            "kind": "p_value",
            "p": "0.039",
        },
    )
    table = count_table(study, "all", "response", "marker")
    assert table is not None
    assert table.status == "several"
    chosen = agreeing_with_p(study, table)
    assert [(c.responders, c.evaluable) for c in chosen.candidates] == [((10, 14), (28, 20))]
    assert "row_5" in chosen.ledger_rows


def test_rate_of_a_population_uses_its_components(make_study: StudyMaker) -> None:
    definition_rows = make_study(N | {"count": "20"}, {"endpoint": "toxicity", "kind": "percent", "value": "33"})
    assert single_rates(definition_rows)[0].candidates == ()
    definition_rows = make_study(N | {"count": "21"}, {"endpoint": "toxicity", "kind": "percent", "value": "33"})
    assert single_rates(definition_rows)[0].candidates == ((7, 21),)


def test_a_paper_that_truncates_has_its_sizes_read_as_truncated(make_study: StudyMaker) -> None:
    settled = [
        N | {"count": "30"},
        *(
            {
                "factor": "stage",
                "level": level,
                "endpoint": "patients",
                "kind": "percent",
                "count": count,
                "value": value,
            }
            for level, count, value in (("one", "5", "16"), ("two", "11", "36"), ("three", "14", "46"))
        ),
    ]
    share = _female(endpoint="patients", kind="percent", value="26")
    assert sizes(make_study(*settled, share), "all", factor="sex", level="female").values == (8,)
    assert sizes(make_study(settled[0], share), "all", factor="sex", level="female").values == (8,)
    rounded = _female(endpoint="patients", kind="percent", value="27")
    assert sizes(make_study(settled[0], rounded), "all", factor="sex", level="female").values == (8,)
    assert sizes(make_study(*settled, rounded), "all", factor="sex", level="female").exact is None
