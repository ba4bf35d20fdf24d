"""Whether the printed statistics of a study agree with each other, from the ledger alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from ixa_bayes.study.audit.causes import joined_by_cause
from ixa_bayes.study.audit.findings import AUDIT_COLUMNS, SEVERITIES, Finding, findings_table
from ixa_bayes.study.audit.fisher import check_fisher
from ixa_bayes.study.audit.impossible import check_impossible
from ixa_bayes.study.audit.information import check_information
from ixa_bayes.study.audit.log_rank import check_log_rank
from ixa_bayes.study.audit.medians import check_claims, check_medians
from ixa_bayes.study.audit.multiplicity import check_multiplicity
from ixa_bayes.study.audit.nested import check_nested
from ixa_bayes.study.audit.percentages import check_percentages
from ixa_bayes.study.audit.prints import Prints
from ixa_bayes.study.audit.ranges import check_ranges
from ixa_bayes.study.audit.ratios import check_ratios
from ixa_bayes.study.audit.reached import check_reached
from ixa_bayes.study.audit.recurring import check_heaping, check_recurring
from ixa_bayes.study.audit.repeats import check_repeats
from ixa_bayes.study.audit.sums import check_sums
from ixa_bayes.study.ledger import Study, study_from

__all__ = ["AUDIT_COLUMNS", "CHECKS", "SEVERITIES", "Finding", "audit"]

CHECKS: Final[tuple[Callable[[Prints], Iterator[Finding]], ...]] = (
    check_impossible,
    check_percentages,
    check_sums,
    check_nested,
    check_fisher,
    check_ratios,
    check_log_rank,
    check_information,
    check_medians,
    check_reached,
    check_claims,
    check_ranges,
    check_repeats,
    check_recurring,
    check_heaping,
    check_multiplicity,
)
"""Every check, in the order in which findings of equal severity are listed."""


def audit(study: Study | Path | str) -> pd.DataFrame:
    """Find what does not agree in a study's printed statistics.

    Parameters
    ----------
    study : Study, path or str
        A study, its folder or a built-in name. The printed values are audited; adjudications only appear in
        the consequences.

    Returns
    -------
    pd.DataFrame
        One row per finding, sorted by severity (:data:`SEVERITIES`); columns :data:`AUDIT_COLUMNS`.
        Each check, its threshold and its measured error rates are described in ``docs/audit.md``.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> findings = ib.audit("zhou2026")
    >>> findings.columns[:3].tolist()
    ['finding_id', 'check', 'severity']
    """
    prints = Prints(study_from(study))
    return findings_table(joined_by_cause(_check(prints), prints, check=lambda other: _check(Prints(other))))


def _check(prints: Prints) -> Iterator[Finding]:
    for check in CHECKS:
        yield from check(prints)
