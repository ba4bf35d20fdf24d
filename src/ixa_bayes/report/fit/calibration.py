"""``ixa-bayes calibrate``: from a fit's folder to the calibration of its posteriors, in a folder of its own."""

import hashlib
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.figure import Figure as MatplotlibFigure
from scipy.stats import binom

from ixa_bayes.files import folder_replaced
from ixa_bayes.inference.calibration import SBCResult
from ixa_bayes.inference.survival.file import POSTERIOR, load_fit
from ixa_bayes.inference.survival.fitting import SurvivalFit
from ixa_bayes.inference.survival.posterior_calibration import COLUMNS, PosteriorCalibration, calibrate
from ixa_bayes.report.drawing import DrawnFigure, Figure, export
from ixa_bayes.report.effect_figures import WIDTH
from ixa_bayes.report.fit.plots import calibration_plot
from ixa_bayes.report.record import Told, check_nothing_foreign, check_output, code_hash, kept, provenance, write_record
from ixa_bayes.report.style import INK, house_style
from ixa_bayes.report.wording import count_text

FOLDER: Final = "calibration"
"""Where it goes in the fit's folder; a new fit replaces both, since the calibration is of the old one."""
TABLE: Final = "calibration.csv"
RANKS: Final = "ranks.csv"
PANELS: Final = 3
TITLE_WIDTH: Final = 34
"""Characters of a panel's title in a line."""
_IN_EVERY: Final = {
    "evidence_kind": "what the fit rests on: `patients`, `simulated`, `pseudo_cohort` or `digitised`",
    "ledger_rows": "printed statistics that it rests on: none",
}

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CalibrationOutcome:
    """Where a calibration is and what it says in short.

    Attributes
    ----------
    folder : Path
    unchanged : bool
        Whether an earlier calibration stands because nothing has changed.
    headlines : list of str
    rejected : list of str
        Why the posteriors cannot be relied on; empty if they can.
    """

    folder: Path
    unchanged: bool
    headlines: list[str]
    rejected: list[str]


def write_calibration(
    fitted: Path,
    *,
    cohort: str | Path | None,
    output: Path | None,
    replicates: int,
    seed: int,
    force: bool = False,
    jobs: int = 1,
    progress: Progress = lambda step, done, total: None,
) -> CalibrationOutcome:
    """Calibrate the posteriors of a fit's model for cohorts like its own, and write table, ranks and figure.

    Parameters
    ----------
    fitted : Path
        Results of ``ixa-bayes fit``.
    cohort : str, path or None
        Where the cohort is, if no longer where the fit read it.
    output : Path or None
        Folder to write, complete or not at all; a folder in ``fitted`` if not given.
    replicates : int
    seed : int
    force : bool
    jobs : int
        Refits at a time.
    progress : callable
        Called with the name of each step, steps done, and steps in all.

    Raises
    ------
    InputError
        If the fit or its cohort cannot be read or calibrated, or ``output`` holds something else.
    """
    fit = load_fit(fitted, cohort=cohort)
    question = fit.question
    target = fitted / FOLDER if output is None else output
    subject = f"calibration of {question.analysis.name} on {question.cohort.name}"
    sources = [path for path in (fitted / POSTERIOR, question.cohort.path) if path is not None]
    check_output(target, subject=subject, sources=sources, force=force)
    inputs = {
        POSTERIOR: hashlib.sha256((fitted / POSTERIOR).read_bytes()).hexdigest(),
        f"cohort {question.cohort.name}": question.cohort.sha256,
        "replicates": str(replicates),
        "code": code_hash(),
    }
    if not force and (earlier := kept(target, inputs, seed)) is not None:
        return CalibrationOutcome(target, True, earlier.headlines, earlier.not_converged)
    check_nothing_foreign(target)

    def tell(done: int, total: int) -> None:
        progress(f"Refitting: {done} of {total} simulated cohorts", done, total)

    found = calibrate(fit, seed=seed, replicates=replicates, jobs=jobs, progress=tell)
    told = Told(calibration_lines(found), list(found.reasons))
    with folder_replaced(target) as fresh:
        _write_files(found, fit, fresh)
        write_record(fresh, provenance(subject, inputs, seed), told)
    return CalibrationOutcome(target, False, told.headlines, told.not_converged)


def calibration_lines(found: PosteriorCalibration) -> list[str]:
    """What a calibration found, in two lines."""
    quantities = count_text(len(found.sbc.outside), "quantity", "quantities")
    verdict = (
        f"Ranks of {quantities}: as uniform as chance allows (band of {found.sbc.band_prob:.0%} over all of them)"
        if not found.sbc.rejected
        else f"Ranks of {quantities}: {len(found.sbc.rejected)} outside the band of {found.sbc.band_prob:.0%} over all"
    )
    return [
        f"{count_text(len(found.sbc.ranks), 'simulated cohort')}, each fitted together with the cohort: "
        f"{found.divergent_share:.2%} of draws diverged",
        verdict,
    ]


def draw_calibration(found: PosteriorCalibration, *, evidence_kind: str) -> DrawnFigure:
    """Rank distribution of every quantity less the uniform one, with the band that holds all of them."""
    with house_style():
        return _drawn(found.sbc, evidence_kind)


def _drawn(sbc: SBCResult, evidence_kind: str) -> DrawnFigure:
    names = list(sbc.outside.index)
    columns, n_ranks = min(PANELS, len(names)), len(sbc.ranks)
    lines = -(-len(names) // columns)
    drawing = MatplotlibFigure(figsize=(WIDTH, 0.5 + 1.3 * lines), layout="constrained")
    panels = drawing.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    at = np.arange(1, sbc.n_draws + 1) / (sbc.n_draws + 1)
    tail = float(sbc.outside["limit"].iloc[0]) / 2
    band = tuple(bound / n_ranks - at for bound in (binom.ppf(tail, n_ranks, at), binom.isf(tail, n_ranks, at)))
    for place, (axes, name) in enumerate(zip(panels, names, strict=False)):
        counts = np.bincount(sbc.ranks[name], minlength=sbc.n_draws + 1).cumsum()[:-1]
        calibration_plot(at, counts / n_ranks - at, axes, band=(band[0], band[1]))
        mark = "" if not sbc.outside.loc[name, "rejected"] else " (rejected)"
        title = textwrap.fill(f"{str(name).replace('log_hazard_ratio', 'log HR')}{mark}", TITLE_WIDTH)
        axes.set_title(title, loc="left", color=INK, fontsize=6.5)
        axes.tick_params(labelsize=6.5, labelbottom=place + columns >= len(names))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    drawing.supxlabel("rank of the true value, as a share of the draws", fontsize=8, color=INK)
    drawing.supylabel("share of ranks below, less what is expected", fontsize=8, color=INK)
    rejected = ", ".join(sbc.rejected) or "none"
    return export(
        Figure(
            FOLDER,
            title="Posterior calibration: ranks of true values",
            alt=f"Rank distribution of {len(names)} quantities over {n_ranks} simulated cohorts, less the uniform one, "
            f"with its {sbc.band_prob:.0%} band. Outside the band: {rejected}.",
            caption="Parameters drawn from the posterior make a second cohort of the same patients; both are fitted "
            "together, and the true values are ranked among the draws. Each curve is the distribution of the ranks "
            f"less the uniform one; all stay within their bands with probability {sbc.band_prob:.0%} if model, "
            "simulation and sampler agree. A hundred cohorts find a posterior half as wide as it should be, hardly one "
            "a fifth too narrow.",
            evidence_kind=evidence_kind,
            ledger_rows=(),
            section="checks",
        ),
        drawing,
    )


def _write_files(found: PosteriorCalibration, fit: SurvivalFit, folder: Path) -> None:
    evidence = fit.question.cohort.evidence_kind
    table = found.table().assign(evidence_kind=evidence, ledger_rows="")
    table.to_csv(folder / TABLE, index=False, lineterminator="\n")
    found.sbc.ranks.to_csv(folder / RANKS, index_label="replicate", lineterminator="\n")
    drawn = draw_calibration(found, evidence_kind=evidence)
    (folder / f"{FOLDER}.svg").write_text(drawn.svg, encoding="utf-8")
    (folder / f"{FOLDER}.png").write_bytes(drawn.png)
    (folder / "README.md").write_text(_readme(found, drawn, fit), encoding="utf-8")


def _readme(found: PosteriorCalibration, drawn: DrawnFigure, fit: SurvivalFit) -> str:
    analysis, cohort = fit.question.analysis, fit.question.cohort
    told = "\n".join(f"- {line}" for line in (*calibration_lines(found), *found.reasons))
    columns = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in {**COLUMNS, **_IN_EVERY}.items())
    return (
        f"# Posterior calibration of {analysis.name} on {cohort.name}\n\n{told}\n\n{drawn.figure.caption}\n\n"
        f"## {TABLE}\n\n| column | meaning |\n|---|---|\n{columns}\n\n"
        f"## {RANKS}\n\nOne row per simulated cohort, one column per quantity: the rank of the true value, from 0 to "
        f"{found.sbc.n_draws}.\n"
    )
