"""What the reanalysis does about a finding: every sentence that an audit may say of it.

They stand here together because each is a claim about other modules. Change a sentence with the
code it describes; ``tests/audit/test_consequences.py`` holds the code to them.
"""

from collections.abc import Iterable
from typing import Final

from ixa_bayes.study.ledger_rows import Row

# Values that no estimate is made from.
DESCRIPTIVE_ONLY: Final = (
    "None: the reanalysis takes no effect from medians, means, ranges or percentages of survival; of two survival "
    "medians it only reads which is longer."
)
THIS_FINDING_ONLY: Final = "None: these counts stand in this finding alone."
NOT_CHECKED: Final = "These p values are not checked."

# Prints that are impossible by themselves.
ROW_NOT_USED: Final = "No analysis uses this row."

# Percentages and counts.
COUNT_NOT_PERCENTAGE: Final = "The count is used, the percentage is not."
NO_COUNT: Final = "No count is taken from this percentage."
NO_COUNTS: Final = "No count is taken from them."
PAPER_S_CONVENTION: Final = (
    "Percentages are read the way this paper prints them, and the other way only where no count fits."
)
TABLE_LEFT_OUT: Final = "The table is left out of the reanalysis until study.toml says which value is used."
TABLE_TRUNCATED: Final = "The table is analysed with the counts that print so if truncated."
COUNTS_AND_FISHER: Final = (
    "The reanalysis uses the counts; for two groups the recomputed p value stands beside the printed one."
)
COUNTS_EXCLUDE_EACH_OTHER: Final = "No count is used, since the prints exclude each other."
COUNT_OR_ALL_PRINTS: Final = (
    "A count is used where one is printed; without it, only counts that agree with every print."
)
EVERY_DENOMINATOR: Final = "Every printed denominator that the group's size allows is analysed."
COMPONENTS_ALONE: Final = (
    "Each component is analysed from its own print; the total of a whole population is left out where all its "
    "components are counted, and else used as printed."
)
NOT_COMBINED: Final = "Each count is used as printed; neither is combined with the other."
SIZES_AS_PRINTED: Final = "The sizes are used as printed, and none is derived from the others."
SIZES_NOT_COMBINED: Final = "Each size is used as printed."
TABLES_ALONE: Final = "Each table is still analysed on its own; no result combines them."

# Events, ratios and tests.
EACH_ENDPOINT_S_EVENTS: Final = "Each endpoint is analysed with its own number of events."
EVENTS_FIRST: Final = "The printed events are used, not the number of censored patients."
EVENTS_OF_SUBGROUP: Final = "None: events are used for whole populations only."
CENSORED_ALONE: Final = "The number of censored patients stands uncorrected until study.toml says what is used."
MOST_EVENTS: Final = "The largest number of events that they allow is used."
AS_PRINTED: Final = "The ratio is reanalysed as printed."
AT_FACE_VALUE: Final = "Their printed intervals are taken at face value."
INTERVAL_USED: Final = (
    "The reanalysis uses the printed interval; the effective number of events stands in this finding alone."
)
CENTRE_KEPT: Final = (
    "The reanalysis keeps the printed ratio as centre and takes the standard error from the interval's width."
)
BOTH_ENDS: Final = "Analyses of credibility are shown for both ends of the limit's rounding interval."
INTERVAL_NOT_P: Final = "The reanalysis uses the ratio and its interval, not the p value."
ONLY_WITH_EXACT_P: Final = (
    "Hazard ratios among them are reanalysed only where an exact p value gives a standard error; the others are not."
)
EACH_INTERVAL: Final = (
    "Prints that can be roundings of one estimate and interval are reanalysed once, at the most precise; others each."
)
ONLY_HAZARD_RATIOS: Final = "None: of printed ratios only hazard ratios are reanalysed."
MOST_DIGITS: Final = "Where a log-rank p value is reanalysed, its exact print of most digits is used."
P_DECIDES_AT_MOST: Final = (
    "Counts or intervals are reanalysed; this p value at most decides between tables of counts that the percentages "
    "leave open."
)
NUMBERS_NOT_WORDS: Final = "The numbers are used, not the words."
NUMBERS_UNTIL_ADJUDICATED: Final = "The numbers are used as printed until study.toml says which stands."
RATIO_NOT_WORDS: Final = "The number is used, not the words; check the comparator."
LOG_RANK_WHERE_KNOWN: Final = (
    "Where the sizes of both groups and the direction are known, the ratio is reanalysed, by the formula and "
    "calibrated by simulation; elsewhere it is not."
)
NOT_FROM_MEDIANS: Final = (
    "The ratio from the p value is reanalysed where the sizes of both groups are known; none is taken from the medians."
)
EACH_ALONE: Final = "Each is reanalysed on its own where the print allows it; they are not pooled."
NOT_REANALYSED: Final = "They are not reanalysed."
NOTHING_DROPPED: Final = (
    "No result is dropped and none is corrected; of the priors shown, those centred on no effect take the part of a "
    "correction."
)

CHECKED: Final = frozenset(
    text for name, text in globals().items() if name.isupper() and isinstance(text, str) and not name.startswith("_")
)
"""Every consequence but those of adjudications."""


def of_ratio(row: Row, text: str) -> str:
    """A consequence for a hazard ratio; other ratios are not reanalysed."""
    return text if row["kind"] == "hazard_ratio" else ONLY_HAZARD_RATIOS


def together(texts: Iterable[str]) -> str:
    """The consequences of a finding that several were joined to."""
    return " ".join(dict.fromkeys(texts))
