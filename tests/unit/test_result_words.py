"""A result that is printed says where its tables are, and does not print them."""

from dataclasses import dataclass

import pandas as pd

from ixa_bayes.inference.result_words import told_by_tables


@dataclass
class Result:
    rates: pd.DataFrame
    posteriors: dict[str, int]
    seed: int = 1


def test_a_result_names_its_tables_and_their_rows() -> None:
    result = Result(pd.DataFrame({"x": [1, 2, 3]}), {"a": 1})
    assert told_by_tables(result) == "<Result with .rates (3 rows), .posteriors (1)>"
