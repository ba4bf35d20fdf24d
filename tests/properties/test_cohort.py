"""What must not matter: the order of rows and of columns, the file's format, the unit of time."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ixa_bayes.cohort.cells import numbers
from ixa_bayes.cohort.table import Cohort, read_cohort

DAYS = 30.4375
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=6)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Sound tables of any shape that the documented names allow."""
    size = draw(st.integers(1, 12))

    def column(of: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(of, min_size=size, max_size=size))

    entry = np.array(column(st.integers(0, 50).map(float)))
    length = np.array(column(st.floats(0.01, 100, allow_subnormal=False)))
    back = np.array(column(st.floats(0, 1)))
    event = np.array(column(st.booleans()))
    end = entry + length
    lower = np.where(event, np.minimum(end, entry + back * length), end)
    ids = draw(
        st.lists(WORDS.filter(lambda word: word not in ("NA", "NaN", "nan")), min_size=size, max_size=size, unique=True)
    )
    return pd.DataFrame(
        {
            "patient": ids,
            "os_entry": entry,
            "os_time": end,
            "os_time_lower": lower,
            "os_event": event.astype(int),
            "weight": column(st.integers(1, 1000)),
            "gfr": column(st.one_of(st.none(), st.floats(-1e6, 1e6))),
            "female": column(st.sampled_from([0, 1])),
            "stage": pd.Series(column(st.sampled_from(["I", "II", "x y", None])), dtype=object),
        }
    )


def rows(cohort: Cohort) -> pd.DataFrame:
    """Everything that was read, sorted by patient."""
    table = cohort.follow_up["os"].to_dataframe()
    columns = sorted(cohort.declared)
    covariates = cohort.covariates[columns].astype(object)
    return pd.concat([table, covariates], axis=1).set_index("patient").sort_index()


@settings(max_examples=50)
@given(tables(), st.randoms())
def test_the_order_of_rows_does_not_matter(table: pd.DataFrame, random: object) -> None:
    shuffled = table.sample(frac=1, random_state=random.randint(0, 2**31))  # type: ignore[attr-defined]  # untyped by hypothesis
    pd.testing.assert_frame_equal(rows(read_cohort(table)), rows(read_cohort(shuffled)))


@settings(max_examples=50)
@given(tables(), st.permutations(range(9)))
def test_the_order_of_columns_does_not_matter(table: pd.DataFrame, order: list[int]) -> None:
    moved = table[[table.columns[i] for i in order]]
    assert read_cohort(table).sha256 == read_cohort(moved).sha256


@settings(max_examples=40)
@given(tables())
def test_a_file_is_the_table_that_was_written(table: pd.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table.to_csv(Path(folder) / "t.csv", index=False)
        table.to_parquet(Path(folder) / "t.parquet", index=False)
        files = {read_cohort(Path(folder) / name).sha256 for name in ("t.csv", "t.parquet")}
    assert files == {read_cohort(table).sha256}
    assert read_cohort(pl.DataFrame(table)).sha256 == read_cohort(table).sha256


@settings(max_examples=50)
@given(tables())
def test_days_and_months_are_the_same_follow_up(table: pd.DataFrame) -> None:
    times = ["os_entry", "os_time", "os_time_lower"]
    in_days = table.assign(**{name: table[name] * DAYS for name in times})
    months = read_cohort(table).follow_up["os"]
    days = read_cohort(in_days, description={"time_unit": "days"}).follow_up["os"]
    for name in ("entry", "time", "time_lower"):
        np.testing.assert_allclose(days[name], months[name], rtol=1e-12, atol=1e-12)


@given(st.lists(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)), min_size=1))
def test_a_decimal_comma_is_a_decimal_point(values: list[float]) -> None:
    text = pd.Series([repr(float(value)) for value in values], dtype="str")
    pointed = numbers(text, decimal=".", missing=())
    commas = numbers(text.str.replace(".", ",", regex=False), decimal=",", missing=())
    np.testing.assert_array_equal(pointed.value, np.array(values, dtype=float))
    np.testing.assert_array_equal(commas.value, pointed.value)


@settings(max_examples=20)
@given(tables())
def test_reading_changes_nothing_of_the_callers(table: pd.DataFrame) -> None:
    before = io.BytesIO()
    table.to_pickle(before)
    read_cohort(table)
    after = io.BytesIO()
    table.to_pickle(after)
    assert before.getvalue() == after.getvalue()
