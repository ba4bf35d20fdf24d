from dataclasses import replace

import pandas as pd

from ixa_bayes.report.response_contrasts import contrast_words
from ixa_bayes.report.results import Results
from ixa_bayes.report.wording import Labels


def with_pooled(results: Results, p_level_lower: float) -> Results:
    """The same contrasts with a pooled model of each, whose probability is given."""
    alone = results.response_contrast
    alone = alone.assign(p_level_lower=0.987)
    pooled = alone.drop_duplicates(["population", "endpoint", "factor", "level", "measure"]).assign(
        model="hierarchical_binomial", prior="hierarchical", p_level_lower=p_level_lower
    )
    return replace(results, response_contrast=pd.concat([alone, pooled], ignore_index=True))


def test_the_card_names_both_models_and_says_where_they_disagree(hostile_results: Results) -> None:
    labels = Labels(hostile_results.study.definition)
    words = contrast_words(with_pooled(hostile_results, 0.95), labels)
    assert words is not None
    assert words.headline == (
        "0 of 1 response contrast is clear if groups inform each other, 1 of 1 with each group alone"
    )
    assert "The two models disagree on 1 of 1" in words.text
    assert "at least 0.975" in words.text
    (item,) = words.items
    assert words.text.endswith("points (groups inform each other; then, as “alone”, each group alone, uniform prior):")
    together, alone = item.split("; ")[:2]
    assert together.endswith("P(lower) 0.950")
    assert alone.startswith("alone ")
    assert alone.endswith("P(lower) 0.987")
    assert "Fisher p" in item


def test_models_that_agree_are_not_said_to_disagree(hostile_results: Results) -> None:
    words = contrast_words(with_pooled(hostile_results, 0.99), Labels(hostile_results.study.definition))
    assert words is not None
    assert words.headline.startswith("1 of 1 response contrast is clear if groups")
    assert "disagree" not in words.text


def test_a_model_that_did_not_converge_is_left_out_and_the_other_named(hostile_results: Results) -> None:
    both = with_pooled(hostile_results, 0.99)
    table = both.response_contrast
    failed = table["model"].eq("hierarchical_binomial")
    found = replace(both, response_contrast=table.assign(median=table["median"].where(~failed)))
    words = contrast_words(found, Labels(hostile_results.study.definition))
    assert words is not None
    assert words.headline == "1 of 1 response contrast is clear with each group alone"
    assert words.text.endswith("in percentage points (each group alone, uniform prior):")
    assert "; alone" not in words.items[0]
    nothing = replace(found, response_contrast=table.iloc[:0])
    assert contrast_words(nothing, Labels(hostile_results.study.definition)) is None
