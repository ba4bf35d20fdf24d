"""What tests of the page share: its outline, its text, and variants of its results."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd

from ixa_bayes.report.results import Results


class Outline(HTMLParser):
    """Ids, internal links and elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name == "href" and value and value.startswith("#"):
                self.links.append(value[1:])


def empty(results: Results) -> Results:
    """The same study where nothing could be computed."""
    frames = {name: table.iloc[:0] for name, table in vars(results).items() if isinstance(table, pd.DataFrame)}
    return replace(results, **frames, response_analyses=())


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def with_log_rank(results: Results) -> Results:
    """The same study with a log-rank p value of the same comparison, printed as an inequality."""
    adjusted = results.hazard_ratios
    unadjusted = adjusted[adjusted["prior"].ne("flat")].assign(
        source="log_rank_calibrated", printed="log-rank p <0.0001", driven_by_prior=True, hr_bound=1.3, p_gt_1=0.999
    )
    return replace(results, hazard_ratios=pd.concat([adjusted, unadjusted], ignore_index=True))


def long_list(results: Results, *, rows: int) -> pd.DataFrame:
    row = dict.fromkeys(results.not_extractable.columns, "") | {
        "endpoint": "rfs",
        "population": "all",
        "factor": "marker",
        "evidence_kind": "published_effect",
    }
    return pd.DataFrame([row] * rows)
