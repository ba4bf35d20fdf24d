"""``ixa-bayes reanalyse``: from a study folder to a folder of results, once per change of its inputs."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

import numpy as np
import pandas as pd

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.files import folder_replaced
from ixa_bayes.inference.effects import reanalyse_hazard_ratios
from ixa_bayes.inference.posterior_file import save_posterior
from ixa_bayes.inference.response import ResponseReanalysis, reanalyse_response
from ixa_bayes.models.analysis import ModelFile, models_for
from ixa_bayes.models.effects import EffectAnalysis
from ixa_bayes.models.response_analysis import ResponseAnalysis
from ixa_bayes.report.headlines import headlines
from ixa_bayes.report.record import Told, check_nothing_foreign, check_output, code_hash, kept, provenance, write_record
from ixa_bayes.report.results import Results
from ixa_bayes.study.audit import audit
from ixa_bayes.study.ledger import Study, read_study

REPORT: Final = "report.html"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """Where a reanalysis is and what it says in short.

    Attributes
    ----------
    report : Path
        The page.
    unchanged : bool
        Whether the results of an earlier run stand because no input has changed.
    headlines : list of str
        What it says in a few lines: see :func:`ixa_bayes.report.headlines.headlines`.
    not_converged : list of str
        Sampled models that did not converge, with the reasons.
    """

    report: Path
    unchanged: bool
    headlines: list[str]
    not_converged: list[str]


def reanalyse(
    study: str | Path,
    *,
    output: str | Path,
    seed: int,
    force: bool = False,
    progress: Progress = lambda step, done, total: None,
) -> Outcome:
    """Audit and reanalyse a study, and write tables, figures, posteriors and the page.

    Parameters
    ----------
    study : str or path
        A study folder or a built-in name.
    output : path
        Folder to write. It appears when everything in it is complete, and then replaces what an
        earlier run left there.
    seed : int
        Seed of everything random; the same seed and inputs give the same numbers.
    force : bool
        Compute although nothing has changed, and replace the results of another study. A folder that
        no run of ours has written is never replaced.
    progress : callable
        Called with the name of each step, steps done, and steps in all.

    Returns
    -------
    Outcome

    Raises
    ------
    InputError
        If the study or a model file has faults, or ``output`` holds something else.

    Examples
    --------
    >>> import ixa_bayes as ib
    >>> outcome = ib.reanalyse("zhou2026", output="results/zhou2026", seed=1)  # doctest: +SKIP
    """
    output = Path(output)
    read = read_study(study)
    models = models_for(read)
    sources = [read.folder, *(model.path for model in models)]
    sources += [read.literature_folder] if read.literature_folder else []
    check_output(output, subject=read.definition.name, sources=sources, force=force)
    inputs = _inputs(read, models)
    if not force and (earlier := kept(output, inputs, seed)) is not None:
        return Outcome(output / REPORT, True, earlier.headlines, earlier.not_converged)
    check_nothing_foreign(output)
    results = compute(read, models, seed=seed, inputs=inputs, progress=progress)
    outcome = Outcome(output / REPORT, unchanged=False, headlines=headlines(results), not_converged=_failed(results))
    with folder_replaced(output) as fresh:
        _write(results, outcome, fresh)
    return outcome


def compute(study: Study, models: list[ModelFile], *, seed: int, inputs: dict[str, str], progress: Progress) -> Results:
    """Everything a report shows, without writing anything.

    Parameters
    ----------
    study : Study
    models : list of ModelFile
        From :func:`ixa_bayes.models.analysis.models_for`.
    seed : int
        Spawned into one stream per analysis, so that a further model file does not change the others.
    inputs : dict of str to str
        Hashes for the record.
    progress : callable
        As in :func:`reanalyse`.
    """
    effect_file, response_files = _by_kind(models)
    steps = 3 + len(response_files)
    progress("Auditing the printed numbers", 0, steps)
    findings = audit(study)
    progress(effect_file.title, 1, steps)
    effects = reanalyse_hazard_ratios(study, effect_file, seed=_seed(seed, effect_file.name))
    rates = []
    for done, analysis in enumerate(response_files, start=2):
        progress(analysis.title, done, steps)
        step = partial(_sampling_step, progress, done, steps)
        rates.append(reanalyse_response(study, analysis, seed=_seed(seed, analysis.name), progress=step))
    progress("Writing tables, figures and the page", steps - 1, steps)
    return Results(
        study=study,
        audit=findings,
        response=_joined([found.response for found in rates]),
        response_contrast=_joined([found.response_contrast for found in rates]),
        response_counts=_joined([found.counts for found in rates]),
        response_priors=_priors(study, response_files, rates),
        hazard_ratios=effects.hazard_ratios,
        credibility=effects.credibility,
        calibration=effects.calibration,
        extraction=effects.extraction,
        not_extractable=effects.not_extractable,
        literature=effects.literature,
        diagnostics=_joined([found.diagnostics for found in rates]),
        posteriors={name: tree for found in rates for name, tree in found.posteriors.items()},
        effect_analysis=effect_file,
        response_analyses=tuple(analysis for analysis in response_files if analysis.endpoints_of(study.definition)),
        provenance=provenance(study.definition.name, inputs, seed),
    )


def _by_kind(models: list[ModelFile]) -> tuple[EffectAnalysis, list[ResponseAnalysis]]:
    effects = [model for model in models if isinstance(model.analysis, EffectAnalysis)]
    if len(effects) != 1:
        found = ", ".join(str(model.path) for model in effects) or "none"
        mend = "name the study's own file like the built-in one, which it then replaces"
        raise InputError([Problem("models of kind published_effect", found, "exactly one is used", mend)])
    analysis = effects[0].analysis
    responses = [model.analysis for model in models if isinstance(model.analysis, ResponseAnalysis)]
    return cast("EffectAnalysis", analysis), responses


def _sampling_step(progress: Progress, done: int, steps: int, fit: int, fits: int, name: str) -> None:
    progress(f"Sampling {name.replace('__', ', ').replace('_', ' ')} ({fit + 1} of {fits})", done, steps)


def _seed(seed: int, analysis: str) -> int:
    """A seed of each analysis' own, so that a further model file leaves the others' numbers alone."""
    entropy = [seed, int.from_bytes(hashlib.sha256(analysis.encode()).digest()[:8])]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables of several analyses in one; empty ones carry no types worth keeping."""
    filled = [table for table in tables if not table.empty]
    return pd.concat(filled, ignore_index=True) if filled else tables[0] if tables else pd.DataFrame()


def _priors(study: Study, analyses: list[ResponseAnalysis], found: list[ResponseReanalysis]) -> pd.DataFrame:
    """The priors of those analyses that have an endpoint here; one that several use, worded alike or not, once."""
    used = [rates.priors for rates, a in zip(found, analyses, strict=True) if a.endpoints_of(study.definition)]
    if not used:
        return _joined([rates.priors for rates in found]).iloc[:0]
    return _joined(used).drop_duplicates(["prior", "regimen", "endpoint", "a", "b"], ignore_index=True)


def _failed(results: Results) -> list[str]:
    table = results.diagnostics
    if table.empty:
        return []
    bad = table[~table["converged"].astype(bool)]
    return [f"{row['fit']}: {row['reasons']}" for _, row in bad.iterrows()]


def _inputs(study: Study, models: list[ModelFile]) -> dict[str, str]:
    """SHA-256 of everything that a result depends on."""
    hashes = {"study and its literature": study.input_hash}
    hashes |= {f"models/{model.path.name}": model.sha256 for model in models}
    return hashes | {"code": code_hash()}


def _write(results: Results, outcome: Outcome, folder: Path) -> None:
    from ixa_bayes.report.figures import draw_all  # here, because a run that finds nothing changed draws nothing
    from ixa_bayes.report.page import render_page
    from ixa_bayes.report.tables import write_tables

    write_tables(results, folder / "tables")
    figures = draw_all(results)
    (folder / "figures").mkdir()
    for drawn in figures:
        (folder / "figures" / f"{drawn.figure.name}.svg").write_text(drawn.svg, encoding="utf-8")
        (folder / "figures" / f"{drawn.figure.name}.png").write_bytes(drawn.png)
    _write_posteriors(results, folder / "posterior")
    (folder / REPORT).write_text(render_page(results, figures), encoding="utf-8")
    write_record(folder, results.provenance, Told(outcome.headlines, outcome.not_converged))


def _write_posteriors(results: Results, folder: Path) -> None:
    folder.mkdir()
    for name, posterior in results.posteriors.items():
        save_posterior(posterior, folder / f"{name}.nc")
