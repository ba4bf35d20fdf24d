"""How much information a multivariable standard error claims, beside what the events can give."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from ixa_bayes.study.audit import consequences as then
from ixa_bayes.study.audit.findings import TESTS_REPRODUCED, Finding
from ixa_bayes.study.audit.log_rank import information_bounds
from ixa_bayes.study.audit.prints import Prints, counted, is_ambiguous, row_words
from ixa_bayes.study.audit.ratios import RatioBox, ratio_box
from ixa_bayes.study.effects import Comparison
from ixa_bayes.study.ledger_rows import Row

TOO_NARROW: Final = "interval_narrower_than_events_allow"
INFLATION: Final = "variance_inflation"
INFLATION_LIMIT: Final = 4.0
"""Variance of the adjusted over that of the unadjusted log ratio, beyond nesting, that calls for a reason."""

WORTH_TELLING: Final = 1.5
"""The same where it is a note: adjustment for a few covariates costs less."""


def check_information(prints: Prints) -> Iterator[Finding]:
    """Multivariable hazard ratios whose interval is narrower than the events allow, or far wider."""
    missing = []
    for row in prints.rows:
        box = ratio_box(row)
        comparison = prints.comparison(row)
        if row["kind"] != "hazard_ratio" or row["adjustment"] != "multivariable" or box is None or comparison is None:
            continue
        bounds = information_bounds(prints, comparison)
        if isinstance(bounds, str):
            missing.append(row["id"])
            continue
        yield from _too_narrow(prints, row, box, comparison)
        yield from _inflation(prints, row, box, comparison=comparison, bounds=bounds[0], size_rows=bounds[1])
    if missing:
        yield Finding(
            INFLATION,
            "not_computable",
            tuple(missing),
            printed=counted(len(missing), "multivariable hazard ratio"),
            computed="",
            explanation="No number of events is printed, or none above 0, so the information behind these ratios "
            "cannot be judged.",
            consequence=then.AT_FACE_VALUE,
        )


def _too_narrow(prints: Prints, row: Row, box: RatioBox, comparison: Comparison) -> Iterator[Finding]:
    """No covariate with two values carries more information than a quarter of the events."""
    events = prints.events(comparison.population, comparison.endpoint)
    claimed = 1 / box.standard_error[1] ** 2
    most = max(events.values) / 4
    if claimed <= most:
        return
    yield Finding(
        TOO_NARROW,
        "note" if is_ambiguous(row) else "contradiction",
        (row["id"], *events.ledger_rows),
        printed=row_words(row),
        computed=f"the interval claims at least {4 * claimed:.0f} events; {max(events.values)} are printed",
        explanation=f"{prints.subject_words(row)}: the interval is narrower than {max(events.values)} events can make "
        "it, "
        "even if two equal groups were compared without adjustment.",
        consequence=prints.adjudication_words([row["id"]]) or then.AS_PRINTED,
        inspect_sr_item=TESTS_REPRODUCED,
    )


def _inflation(
    prints: Prints,
    row: Row,
    box: RatioBox,
    *,
    comparison: Comparison,
    bounds: tuple[float, float],
    size_rows: tuple[str, ...],
) -> Iterator[Finding]:
    se = sum(box.standard_error) / 2
    inflation = bounds[1] * se**2
    nested, nested_words = nesting_inflation(prints, comparison)
    known = bounds[0] > 0
    expected = bounds[0] * _imbalance(prints, comparison, math.exp(sum(box.log_ratio) / 2)) if known else 0.0
    alarm = expected * box.standard_error[0] ** 2 > INFLATION_LIMIT * nested and not is_ambiguous(row)
    if inflation < WORTH_TELLING and not alarm:
        return
    events = max(prints.events(comparison.population, comparison.endpoint).values)
    split = f" or {events / inflation:.1f} of groups of these sizes" if known else ""
    computed = (
        f"SE {se:.3f}: worth {4 / se**2:.1f} events of an even comparison{split}; unadjusted, the printed events give "
        f"{'by the formula ' if known else 'at most '}{4 * bounds[1]:.1f}, so the variance is "
        f"{'' if known else 'up to '}{inflation:.1f} times the unadjusted one; {nested_words}"
    )
    if alarm:
        reason = "more than nesting explains: few complete cases, related covariates, or another interval than stated"
    else:
        reason = "this may be the price of adjustment and of incomplete cases"
    if known:
        reason += (
            ". The unadjusted information is that of a hazard ratio of 1; with unequal groups and a large effect the "
            "true one is larger or smaller, and this share with it too high or too low"
        )
    yield Finding(
        INFLATION,
        "implausible" if alarm else "note",
        (row["id"], *size_rows),
        printed=row_words(row),
        computed=computed,
        explanation=f"{prints.subject_words(row)}: the adjusted ratio carries {'' if known else 'at least '}"
        f"{100 / inflation:.0f}% of the information of the unadjusted comparison; {reason}.",
        consequence=then.INTERVAL_USED,
    )


def _imbalance(prints: Prints, comparison: Comparison, hazard_ratio: float) -> float:
    """Information left where the hazard ratio makes the groups' shares of events more uneven than their sizes."""
    first = prints.size(comparison.population, comparison.factor, comparison.level).exact or 0
    second = prints.size(comparison.population, comparison.factor, comparison.comparator).exact or 0
    at_one = first * second / (first + second) ** 2
    at_ratio = first * hazard_ratio * second / (first * hazard_ratio + second) ** 2
    return min(at_ratio / at_one, 1.0)


def nesting_inflation(prints: Prints, comparison: Comparison) -> tuple[float, str]:
    """Variance inflation of a factor that lies within others, or has others within it, if these stand in the model too.

    Returns
    -------
    float
        1 / (1 - R^2) of the factor on all the factors it lies within, which are taken as
        independent of each other among the patients outside it, or on the one within it that
        inflates most; 1 without nesting or sizes.
    str
        The same in words, with that of each other factor alone.
    """
    n = prints.size(comparison.population).exact
    shares: dict[str, tuple[float, float]] = {}
    own = (comparison.factor, comparison.level)
    for nesting in prints.definition.nesting:
        inner, outer = (nesting.inner.factor, nesting.inner.level), (nesting.outer.factor, nesting.outer.level)
        sizes = [prints.size(comparison.population, *group).exact for group in (inner, outer)]
        small, large = sizes
        if own not in (inner, outer) or not n or not small or not large or not small <= large < n:
            continue
        other = prints.definition.factors[(outer if own == inner else inner)[0]].label
        shares[other] = small / n, (large - small) / (n - small)
    if not shares:
        return 1.0, "no nesting of known size explains any of it"
    single = {label: _nested_vif(share, [outside]) for label, (share, outside) in shares.items()}
    words = ", ".join(f"{value:.1f} with {label} in the model" for label, value in single.items())
    if len({share for share, _ in shares.values()}) > 1 or len(single) == 1:
        return max(single.values()), f"nesting explains {words}"
    joint = _nested_vif(next(iter(shares.values()))[0], [outside for _, outside in shares.values()])
    return joint, f"nesting explains {words}, {joint:.1f} with all of them"


def _nested_vif(share: float, outside: list[float]) -> float:
    """1 / (1 - R^2) of an indicator (mean ``share``) on indicators that are 1 within it and ``outside`` elsewhere."""
    between = np.array([1 - q for q in outside])
    spread = np.diag([(1 - share) * q * (1 - q) for q in outside])
    covariance = share * (1 - share) * np.outer(between, between) + spread
    with_inner = share * (1 - share) * between
    explained = float(with_inner @ np.linalg.pinv(covariance) @ with_inner) / (share * (1 - share))
    return math.inf if explained >= 1 else 1 / (1 - explained)
