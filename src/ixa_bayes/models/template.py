"""``ixa-bayes new-model``: an annotated model file with the covariates of a cohort, which ``fit`` takes as it stands.

It reads of the cohort what a model file must say (names, levels, a centre, which values are missing), never how
patients fared: its priors are defaults that the analyst replaces by beliefs.
"""

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from ixa_bayes.cohort.description import DESCRIPTION_FILE
from ixa_bayes.cohort.follow_up import is_start_stop
from ixa_bayes.cohort.table import Cohort, Covariate
from ixa_bayes.errors import InputError, Problem
from ixa_bayes.files import check_free, write_text
from ixa_bayes.models.design_matrix import design_of
from ixa_bayes.models.survival_analysis import MOST_MARGINALISED, SurvivalAnalysis
from ixa_bayes.study.hints import did_you_mean

_HORIZONS: Final = (120, 60, 36, 24, 12, 6, 3, 2, 1)
_GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_PRIOR: Final = (
    'prior = { kind = "normal", mean = 0.0, sd = 1.0, '
    'source = "weakly informative: 95% of hazard ratios between 0.14 and 7.1" }'
)
_PRIOR_PER_STEP: Final = (
    'prior = { kind = "normal", mean = 0.0, sd = 0.5, '
    'source = "weakly informative: 95% of hazard ratios per step between 0.38 and 2.7" }'
)
_HEAD: Final = """# {title}. What every key means: docs/model.md.
# HR > 1 means more events with the factor. State each prior before the data are seen, and write where it comes from.

kind = "survival"
name = {name}
title = {title_text}
endpoint = {endpoint}

# The level of the baseline is a statement about the reference profile: a patient with every covariate at its reference
# (a number: at its `centre`). 95% of the belief below lies between 1.3 and 454 months; `fit` tells what it implies.
[baseline]
law = "weibull"              # or "piecewise_exponential", with n_intervals

[baseline.median]
months = 24.0
log_sd = 1.5
source = "a default that leaves open weeks to decades: replace it by what is known of such patients"

[baseline.shape]             # 1 is a constant hazard; 95% between 0.38 and 2.7
median = 1.0
log_sd = 0.5
source = "weakly informative: hazards that fall or rise several-fold over the follow-up"

# Each log hazard ratio has a prior of its own: normal (mean, sd) or student_t (location, scale, df). Remove the
# covariates that the question does not need: every ten of them want a hundred events.
"""
_FOOT: Final = """
[estimands]
times = [{half:g}, {horizon:g}]
horizon = {horizon:g}                 # months up to which mean survival is restricted
thresholds = [1.0, 1.25, 2.0]   # P(HR > c)
equivalence = [0.8, 1.25]       # practically no effect

[sampler]
draws = 1000
tune = 1000
target_accept = 0.9
"""


def write_model_template(path: Path, *, cohort: Cohort, endpoint: str | None = None, force: bool = False) -> int:
    """Write a model file for a cohort.

    Parameters
    ----------
    path : Path
        A file that ends in ``.toml``.
    cohort : Cohort
    endpoint : str, optional
        By default the first of the cohort.
    force : bool
        Whether a file may be overwritten.

    Returns
    -------
    int
        How many covariates the model has.

    Raises
    ------
    InputError
        If the file is there or no ``.toml``, the cohort has no such endpoint, or no patient has every covariate.
    """
    if path.suffix != ".toml":
        raise InputError([Problem(str(path), repr(path.suffix), "a model file ends in .toml", f"write {path}.toml")])
    if cohort.path is not None and path.resolve() in _descriptions(cohort.path.resolve()):
        rule = f"there stands what describes {cohort.path.name}, or would be taken for it"
        raise InputError([Problem(str(path), "the place of a description", rule, "choose another name")])
    check_free(path, force=force)
    known = list(cohort.follow_up)
    if endpoint is not None and endpoint not in known:
        mend = did_you_mean(endpoint, known) or "choose one of these"
        raise InputError([Problem("endpoint", repr(endpoint), f"cohort {cohort.name} has {', '.join(known)}", mend)])
    text = model_template(cohort, endpoint or known[0], name=_name(path.stem, taken=()))
    analysis = SurvivalAnalysis.model_validate(tomllib.loads(text))
    design_of(cohort, analysis)
    write_text(path, text, force=force)
    return len(analysis.covariates)


def _descriptions(table: Path) -> tuple[Path, Path]:
    return table.with_suffix(".toml"), table.with_name(DESCRIPTION_FILE)


def model_template(cohort: Cohort, endpoint: str, *, name: str) -> str:
    """The text of a model file with every covariate of a cohort that a model can use."""
    data = cohort.follow_up[endpoint]
    longest = float(data["time"].max())
    horizon = next((months for months in _HORIZONS if months <= longest), longest)
    title = f"{data.attrs['label']} by a Weibull proportional-hazards model"
    written = {"name": _text(name), "title_text": _text(title), "endpoint": _text(endpoint)}
    head = _HEAD.format(title=" ".join(title.split()), **written)
    return head + "".join(_covariates(cohort, endpoint)) + _FOOT.format(horizon=horizon, half=horizon / 2)


def _covariates(cohort: Cohort, endpoint: str) -> Iterator[str]:
    taken: set[str] = set()
    may_sum = 0 if is_start_stop(cohort.follow_up[endpoint]) else MOST_MARGINALISED
    for column, covariate in cohort.declared.items():
        values = cohort.covariates[column]
        if why := _unusable(cohort, column):
            yield f"\n# {_one_line(column)}: {why}.\n"
            continue
        name = _name(column, taken=taken)
        taken.add(name)
        yield f"\n{_what(covariate)}[covariates.{name}]\nfrom = {_text(column)}\nlabel = {_text(covariate.label)}\n"
        if covariate.kind == "continuous":
            middle, step = _centre_and_step(values.dropna().to_numpy(dtype=float))
            yield f"per = {step:g}\ncentre = {middle:g}\n{_PRIOR_PER_STEP}\n"
            continue
        if covariate.kind == "binary" and values.isna().any() and may_sum:
            may_sum -= 1
            yield 'missing = "marginalise"       # both values are summed; "complete_case" leaves such patients out\n'
        yield f"{_PRIOR}\n"


def _unusable(cohort: Cohort, column: str) -> str:
    """Why a model cannot use a column; empty if it can."""
    covariate, values = cohort.declared[column], cohort.covariates[column]
    if values.nunique() == 0:
        return "no patient has a value"
    if values.nunique() == 1:
        return "the same for everybody, so it has no hazard ratio"
    if covariate.kind in ("categorical", "ordered") and covariate.reference is None:
        return "words without a reference level; declare it in cohort.toml to use it"
    if re.search(r"[<>=]", column):
        return "a name with <, > or = cannot stand in `from`; rename the column to use it"
    return ""


def _what(covariate: Covariate) -> str:
    if covariate.kind == "continuous":
        unit = f" ({_one_line(covariate.unit)})" if covariate.unit else ""
        return f"# A number{unit}: the hazard ratio is per so many of it (`per`), and 0 stands for `centre`.\n"
    if covariate.kind == "binary":
        zero, one = (_one_line(level) for level in covariate.levels)
        return f"# {one} against {zero}.\n"
    others = ", ".join(_one_line(level) for level in covariate.levels if level != covariate.reference)
    return f"# {others}, each against {_one_line(str(covariate.reference))}; `levels` gives one a prior of its own.\n"


def _centre_and_step(values: np.ndarray) -> tuple[float, float]:
    """A round value in the middle, and a round step of about half the distance between the quartiles."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    spread = (high - low) / 2 or float(values.std())
    power = 10.0 ** np.floor(np.log10(spread))
    step = float(max(one * power for one in (1, 2, 5) if one * power <= spread * (1 + 1e-9)))
    return float(f"{round(middle / step) * step:.6g}"), float(f"{step:.6g}")


def _name(word: str, *, taken: set[str] | tuple[()]) -> str:
    """A word as models and results name it: ``groesse`` of ``Größe``; numbered where another has it."""
    plain = unicodedata.normalize("NFKD", word.casefold().translate(_GERMAN)).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:50] or "covariate"
    plain = plain if plain[0].isalpha() else f"x_{plain}"
    numbered = (plain if number == 1 else f"{plain}_{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def _text(text: str) -> str:
    """A word in quotes as TOML has it, which is as JSON has it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return " ".join(text.split())
