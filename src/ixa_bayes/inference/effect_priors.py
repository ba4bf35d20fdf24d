"""Which priors a published hazard ratio is combined with: the stated ones, and the literature where it suffices."""

from collections.abc import Iterable
from typing import Final

import pandas as pd

from ixa_bayes.formulas.normal import NormalPrior
from ixa_bayes.formulas.random_effects import predict_next_study
from ixa_bayes.models.effects import LITERATURE, EffectAnalysis
from ixa_bayes.study.definition import StudyDefinition
from ixa_bayes.study.effects import Comparison
from ixa_bayes.study.ledger import Study
from ixa_bayes.study.literature import hazard_ratio_rows, literature_factor, read_prognostic_hr

LITERATURE_COLUMNS: Final = (
    "endpoint",
    "factor",
    "study_id",
    "citation",
    "doi",
    "literature_population",
    "definition",
    "adjusted",
    "hr",
    "lower95",
    "upper95",
    "may_inform_prior",
    "independent_rows",
    "rows_needed",
)


def expected_worse(definition: StudyDefinition, comparison: Comparison) -> bool:
    """Whether the level of a comparison was expected to do worse, before the data were seen.

    The definition states it for the other levels of a factor against its reference; a comparison
    printed the other way round turns it.
    """
    factor = definition.factors.get(comparison.factor)
    if factor is None:
        return True
    turned = factor.reference is not None and comparison.level == factor.reference
    return (factor.expected == "worse") != turned


class LiteraturePriors:
    """The priors of each comparison, with one from other studies only where enough of them exist.

    Parameters
    ----------
    study : Study
        Its ``literature`` folder is read; without one every comparison gets the stand-in.
    analysis : EffectAnalysis
        Says how many independent rows are enough, and what stands in otherwise.
    """

    def __init__(self, study: Study, analysis: EffectAnalysis) -> None:
        self._definition = study.definition
        self._folder = study.literature_folder
        self._analysis = analysis
        self._known: dict[tuple[str, str], pd.DataFrame] = {}

    def priors(self, comparison: Comparison) -> list[NormalPrior]:
        """The priors of the analysis, then the literature's or the stand-in for it."""
        worse = expected_worse(self._definition, comparison)
        return [*self._analysis.fixed_priors(expected_worse=worse), self._from_literature(comparison)]

    def _from_literature(self, comparison: Comparison) -> NormalPrior:
        settings, rows = self._analysis.literature, self._rows(comparison.factor, comparison.endpoint)
        if len(rows) < settings.min_rows:
            stand_in = settings.otherwise
            source = f"{stand_in.source} (stands in: {len(rows)} of {settings.min_rows} independent studies found)"
            return NormalPrior(stand_in.name, stand_in.mean, stand_in.sd, source)
        found = predict_next_study(
            rows["log_hazard_ratio"],
            rows["standard_error"],
            mu_mean=settings.mu_mean,
            mu_sd=settings.mu_sd,
            tau_scale=settings.tau_scale,
        )
        return NormalPrior(LITERATURE, found.mean, found.sd, f"predictive of {', '.join(rows['study_id'])}")

    def _rows(self, factor: str, endpoint: str) -> pd.DataFrame:
        if (factor, endpoint) not in self._known:
            self._known[factor, endpoint] = hazard_ratio_rows(self._folder, factor, endpoint)
        return self._known[factor, endpoint]

    def table(self, comparisons: Iterable[Comparison]) -> pd.DataFrame:
        """Every row of the literature on these factors and endpoints, usable for a prior or not.

        Returns
        -------
        pd.DataFrame
            Columns of ``literature.csv``.
        """
        everything = read_prognostic_hr(self._folder)
        subjects = dict.fromkeys((comparison.endpoint, comparison.factor) for comparison in comparisons)
        found = []
        for endpoint, factor in subjects:
            usable = self._rows(factor, endpoint)
            named = everything["factor"].eq(literature_factor(self._folder, factor))
            about = everything[everything["endpoint"].eq(endpoint) & named]
            table = about.rename(columns={"population": "literature_population"}).assign(
                endpoint=endpoint,
                factor=factor,
                may_inform_prior=about.index.isin(usable.index),
                independent_rows=len(usable),
                rows_needed=self._analysis.literature.min_rows,
            )
            found.append(table[list(LITERATURE_COLUMNS)])
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(LITERATURE_COLUMNS))
