"""Faults that chance could produce too, planted at the size that docs/audit.md states; see :mod:`.faults`."""

import math

import numpy as np

from .faults import Fault, Planted, n_patients, set_interval, shuffled, some_factors
from .statistics_of_patients import printed
from .synthetic import Paper

ALARM = ("contradiction", "implausible")


def ratio_off_centre(paper: Paper) -> Planted | None:
    """A ratio moved by a third of its standard error, at least 10%, within its interval."""
    for row in shuffled(paper, paper.find(kind="hazard_ratio", location="results")):
        se = math.log(float(row["upper"]) / max(float(row["lower"]), 0.01)) / 3.92
        if float(row["lower"]) < 0.2:
            continue
        row["value"] = printed(float(row["value"]) * math.exp(max(se / 3, 0.1)), 2)
        return Planted("interval_symmetry", row["id"], severities=("implausible",))
    return None


def p_of_another_interval(paper: Paper) -> Planted | None:
    """A p value beside a ratio that is five times too large or too small."""
    for row in shuffled(paper, paper.find(kind="hazard_ratio", location="results")):
        if not row["p"][0].isdigit():
            continue
        p = float(row["p"])
        row["p"] = printed(p * 5 if p < 0.19 else p / 5, 4)
        return Planted("interval_and_p", row["id"], severities=ALARM)
    return None


def medians_of_another_endpoint(paper: Paper) -> Planted | None:
    """A median that moves the ratio of medians by seven units of z from what the p value says."""
    for row in shuffled(paper, [row for row in paper.find(kind="p_value") if row["endpoint"] in paper.cohort.times]):
        factor, endpoint = row["factor"], row["endpoint"]
        about = {"kind": "median", "endpoint": endpoint, "factor": factor}
        first, second = paper.find(**about, level="l0")[0], paper.find(**about, level="l1")[0]
        if "not reached" in (first["value"], second["value"]) or factor == paper.names[5] or row["p"][0] == "<":
            continue
        codes, d = paper.cohort.factors[factor], int(paper.cohort.events[endpoint].sum())
        v = d * float((codes == 0).mean() * (codes == 1).mean())
        if v < 9 or float(second["value"]) == 0 or float(first["value"]) == 0:
            continue
        ratio = math.log(float(first["value"]) / float(second["value"]))
        shift = 7 / math.sqrt(v) * (1 if ratio >= 0 else -1)
        first["value"] = printed(float(first["value"]) * math.exp(shift), 1)
        if first["value"] == "0.0":
            continue
        return Planted("log_rank_p_and_medians", row["id"], severities=("implausible",))
    return None


def adjusted_ratio_far_away(paper: Paper) -> Planted | None:
    """An adjusted ratio with its interval moved away from the unadjusted one by eight of its standard errors."""
    for row in shuffled(paper, paper.find(kind="hazard_ratio", location="results")):
        tests = paper.find(kind="p_value", endpoint=row["endpoint"], factor=row["factor"], population="all")
        if not tests or float(row["lower"]) < 0.1 or row["factor"] == paper.names[5]:
            continue
        centre = math.log(float(row["value"]))
        se = math.log(float(row["upper"]) / float(row["lower"])) / 3.92
        sign = 1 if centre >= 0 else -1
        set_interval(row, se=se, log_ratio=centre + 8 * se * sign)
        if float(row["lower"]) <= 0:
            continue
        return Planted("log_rank_p_and_adjusted_ratio", row["id"], severities=("implausible",))
    return None


def standard_error_inflated(paper: Paper) -> Planted | None:
    """An adjusted ratio whose standard error is three times too large."""
    for row in shuffled(paper, paper.find(kind="hazard_ratio", location="results")):
        if row["factor"] == paper.names[5] or float(row["lower"]) <= 0.1:
            continue
        se = math.log(float(row["upper"]) / float(row["lower"])) / 3.92
        set_interval(row, se=3 * se)
        if float(row["lower"]) <= 0.02:
            continue
        return Planted("variance_inflation", row["id"], severities=("implausible",))
    return None


def pooled_survival_median_outside(paper: Paper) -> Planted | None:
    """A median survival of everyone 30% above the largest median of the parts."""
    for endpoint in paper.cohort.times:
        pooled = paper.find(kind="median", endpoint=endpoint, factor="")[0]
        for factor in some_factors(paper, complete=True):
            parts = paper.find(kind="median", endpoint=endpoint, factor=factor)
            if not parts or any(part["value"] == "not reached" for part in parts) or pooled["value"] == "not reached":
                continue
            pooled["value"] = printed(1.3 * max(float(part["value"]) for part in parts) + 0.1, 1)
            return Planted("pooled_median", pooled["id"], severities=("implausible",))
    return None


def quartiles_called_range(paper: Paper) -> Planted | None:
    """Quartiles of a log-normal duration (SD of the logarithm 1) of 200 or more patients, called a range."""
    if n_patients(paper) < 200:
        return None
    values = np.exp(paper.rng.normal(1.5, 1.0, n_patients(paper)))
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    row = paper.find(kind="median", endpoint="duration")[0]
    row |= {"value": printed(middle, 1), "lower": printed(low, 1), "upper": printed(high, 1), "interval": "range"}
    return Planted("range_like_quartiles", row["id"], severities=("implausible",))


def whole_months(paper: Paper) -> Planted | None:
    """Times recorded in whole units and printed with a decimal (the paper is made with ``whole_units``)."""
    endpoint = paper.theme["times"][0][0]
    texts = {
        row[column]
        for row in paper.find(kind="median", endpoint=endpoint)
        for column in ("value", "lower", "upper")
        if row[column][:1].isdigit()
    }
    if len(texts) < 8:
        return None
    return Planted(
        "measurement_grid", paper.find(kind="median", endpoint=endpoint)[0]["id"], severities=("implausible",)
    )


def one_median_everywhere(paper: Paper) -> Planted | None:
    """The median of everyone printed for one subgroup of each of five factors."""
    for endpoint in paper.cohort.times:
        pooled = paper.find(kind="median", endpoint=endpoint, factor="")[0]
        factors = [
            name
            for name in some_factors(paper, complete=False)
            if paper.find(kind="median", factor=name, endpoint=endpoint)
        ]
        if pooled["value"] == "not reached" or float(pooled["value"]) < 10 or len(factors) < 5:
            continue
        for factor in factors[:5]:
            paper.find(kind="median", factor=factor, endpoint=endpoint)[0]["value"] = pooled["value"]
        return Planted("recurring_median", pooled["id"], severities=("note",))
    return None


PROBABILISTIC: dict[str, Fault] = {
    "interval_symmetry": ratio_off_centre,
    "interval_and_p": p_of_another_interval,
    "log_rank_p_and_medians": medians_of_another_endpoint,
    "log_rank_p_and_adjusted_ratio": adjusted_ratio_far_away,
    "variance_inflation": standard_error_inflated,
    "pooled_median": pooled_survival_median_outside,
    "range_like_quartiles": quartiles_called_range,
    "measurement_grid": whole_months,
    "recurring_median": one_median_everywhere,
}
