from ixa_bayes.study.audit.prints import counted, row_words
from ixa_bayes.study.ledger_rows import COLUMNS


def test_survival_at_a_time_says_which() -> None:
    row = dict.fromkeys(COLUMNS, "") | {"kind": "survival_percent", "value": "79", "time": "24"}
    assert row_words(row) == "79% at 24"


def test_one_is_singular() -> None:
    assert [counted(1, "p value"), counted(2, "p value")] == ["1 p value", "2 p values"]
