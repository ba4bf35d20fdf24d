"""Reading ``models/*.toml``: the analyses that an analyst edits, and which of them a study gets."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.models.survival_analysis import SurvivalAnalysis
from ixa_bayes.study.ledger import Study, study_from
from ixa_bayes.study.locate import builtin_names, locate
from ixa_bayes.study.toml_files import problems_of, read_toml

Analysis = EffectAnalysis | ResponseAnalysis | SurvivalAnalysis
KINDS: dict[str, type[EffectAnalysis] | type[ResponseAnalysis] | type[SurvivalAnalysis]] = {
    "published_effect": EffectAnalysis,
    "response": ResponseAnalysis,
    "survival": SurvivalAnalysis,
}


@dataclass(frozen=True)
class ModelFile:
    """An analysis with the file it was read from.

    Attributes
    ----------
    analysis : EffectAnalysis, ResponseAnalysis or SurvivalAnalysis
    path : Path
    text : str
        The file as it stood, kept with every posterior.
    sha256 : str
        Of its bytes.
    """

    analysis: Analysis
    path: Path
    text: str
    sha256: str


def read_model(name: str | Path) -> ModelFile:
    """Read and check one model file.

    Parameters
    ----------
    name : str or path
        A path, or the name of a built-in model.

    Raises
    ------
    InputError
        With every fault: file, key, value and how to mend it.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> [prior.name for prior in ib.read_model("orr").analysis.priors]
    ['uniform', 'jeffreys', 'sceptical', 'enthusiastic']
    """
    path = locate(name, "model")
    content = read_toml(path)
    kind = content.get("kind")
    if kind not in KINDS:
        found = "no key `kind`" if kind is None else repr(kind)
        rule = f"must be one of {', '.join(KINDS)}"
        raise InputError([Problem(f"{path}, key kind", found, rule, "say which analysis this is")])
    try:
        analysis = KINDS[str(kind)].model_validate(content)
    except ValidationError as error:
        raise InputError(problems_of(error, path=path, model=KINDS[str(kind)])) from error
    raw = path.read_bytes()
    return ModelFile(analysis, path, raw.decode("utf-8-sig"), hashlib.sha256(raw).hexdigest())


def analysis_from[A: Analysis](given: A | ModelFile | str | Path, wanted: type[A]) -> A:
    """An analysis as functions take it: itself, the file it was read from, or the file's name.

    Parameters
    ----------
    given : EffectAnalysis, ResponseAnalysis, SurvivalAnalysis, ModelFile, path or str
        What :func:`read_model` returns or takes, or its ``analysis``.
    wanted : type
        The kind of analysis that the caller can compute.

    Raises
    ------
    InputError
        If the model file has faults or is of another kind; the message names built-in ones that fit.
    TypeError
        If it is none of these; the message says what to pass.
    """
    found = read_model(given) if isinstance(given, str | Path) else given
    analysis = found.analysis if isinstance(found, ModelFile) else found
    if isinstance(analysis, wanted):
        return analysis
    kind = next(name for name, of_kind in KINDS.items() if of_kind is wanted)
    built_in = [name for name in builtin_names("model") if read_toml(locate(name, "model")).get("kind") == kind]
    fitting = f"a model file of kind {kind} (built in: {', '.join(built_in) or 'none'})"
    if isinstance(analysis, tuple(KINDS.values())):
        where = f"model {given if isinstance(given, str | Path) else analysis.name}"
        raise InputError([Problem(where, f"kind {analysis.kind}", f"must be {kind} here", f"pass {fitting}")])
    raise TypeError(
        f"analysis is a {type(analysis).__name__}; pass {fitting}: its name, its path or what read_model returns"
    )


def models_for(study: Study | Path | str) -> list[ModelFile]:
    """The model files that a study is reanalysed with.

    The built-in ones, which know no study; a file in the study's own ``models/`` takes the place of
    the built-in one of its name, or joins them. Survival models need patients, which a study has not.

    Parameters
    ----------
    study : Study, path or str
        A study, its folder or a built-in name.

    Raises
    ------
    InputError
        With every fault of every file.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> [model.analysis.name for model in ib.models_for("zhou2026")]
    ['hazard_ratios', 'orr', 'response_other']
    """
    study = study_from(study)
    own = {path.stem: path for path in sorted((study.folder / "models").glob("*.toml"))}
    paths = {name: locate(name, "model") for name in builtin_names("model")} | own
    files: list[ModelFile] = []
    problems: list[Problem] = []
    for path in paths.values():
        try:
            files.append(read_model(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return [file for file in files if not isinstance(file.analysis, SurvivalAnalysis)]
