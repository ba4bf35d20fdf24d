from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from scipy.stats import beta

from ixa_bayes.errors import InputError
from ixa_bayes.models.analysis import read_model
from ixa_bayes.models.response_analysis import RatePrior, ResponseAnalysis

from .conftest import DEFINITION, StudyMaker

PRIOR = {"name": "uniform", "mean": 0.5, "patients": 2, "meaning": "flat", "source": "a test"}
ROW = {"endpoint": "patients", "kind": "count", "count": "40"}
MINIMAL: dict[str, Any] = {
    "kind": "response",
    "name": "toy",
    "title": "A toy",
    "endpoints": "binary",
    "priors": [PRIOR],
}


def _response(name: str) -> ResponseAnalysis:
    analysis = read_model(name).analysis
    assert isinstance(analysis, ResponseAnalysis)
    return analysis


def test_a_prior_reads_as_mean_and_patients() -> None:
    prior = RatePrior(**PRIOR | {"mean": 0.25, "patients": 12})
    assert (prior.a, prior.b) == (3, 9)


@pytest.mark.parametrize("name", ["orr", "response_other"])
def test_built_in_priors_are_documented_and_proper(name: str) -> None:
    analysis = _response(name)
    by_name = {prior.name: (prior.a, prior.b) for prior in analysis.priors}
    assert by_name["uniform"] == pytest.approx((1, 1))
    assert by_name["jeffreys"] == pytest.approx((0.5, 0.5))
    assert analysis.hierarchical is not None
    assert all(prior.meaning and prior.source for prior in analysis.priors)


def test_sceptical_and_enthusiastic_mean_what_the_file_says() -> None:
    by_name = {prior.name: prior for prior in _response("orr").priors}
    sceptical, enthusiastic = by_name["sceptical"], by_name["enthusiastic"]
    assert beta.sf(0.5, sceptical.a, sceptical.b) == pytest.approx(0.03, abs=0.005)
    assert beta.cdf(0.5, enthusiastic.a, enthusiastic.b) == pytest.approx(0.03, abs=0.005)
    assert sceptical.patients == enthusiastic.patients == 12


def test_pooling_prior_matches_the_stan_reference() -> None:
    pooled = _response("orr").hierarchical
    assert pooled is not None
    assert pooled.prior_numbers() == {"mu_mean": 0.0, "mu_sd": 1.5, "tau_scale": 1.0}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"priors": []}, "priors"),
        ({"priors": [PRIOR | {"mean": 1.0}]}, "mean"),
        ({"priors": [PRIOR | {"patients": 0}]}, "patients"),
        ({"priors": [PRIOR | {"source": ""}]}, "source"),
        ({"priors": [PRIOR, PRIOR]}, "named twice"),
        ({"priors": [PRIOR | {"name": "literature"}]}, "reserved"),
        ({"priors": [PRIOR | {"name": "hierarchical"}]}, "reserved"),
        ({"endpoints": []}, "endpoints"),
        ({"next_patients": 0}, "next_patients"),
        ({"next_patinets": 20}, "next_patinets"),
        ({"hierarchical": {"mu_mean": 0, "mu_sd": 0, "tau_scale": 1, "meaning": "m", "source": "s"}}, "mu_sd"),
    ],
)
def test_a_wrong_file_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError, match=where):
        ResponseAnalysis.model_validate(MINIMAL | change)


def test_a_wrong_file_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('kind = "response"\nname = "mine"\ntitle = "Mine"\nendpoints = ["orr"]\npriors = []\nprior = 1\n')
    with pytest.raises(InputError) as caught:
        read_model(path)
    assert {problem.where.rpartition("key ")[2] for problem in caught.value.problems} == {"priors", "prior"}


def test_endpoints_of_a_study(make_study: StudyMaker) -> None:
    study = make_study({"endpoint": "patients", "kind": "count", "count": "10"})
    binary = ResponseAnalysis.model_validate(MINIMAL)
    assert binary.endpoints_of(study.definition) == ("response", "toxicity")
    without = ResponseAnalysis.model_validate(MINIMAL | {"except": ["response"]})
    assert without.endpoints_of(study.definition) == ("toxicity",)
    named = ResponseAnalysis.model_validate(MINIMAL | {"endpoints": ["orr", "response"]})
    assert named.endpoints_of(study.definition) == ("response",)


def test_hash_is_of_what_the_file_says() -> None:
    analysis = _response("orr")
    assert analysis.sha256 == _response("orr").sha256
    assert analysis.sha256 != analysis.model_copy(update={"next_patients": 21}).sha256


@pytest.mark.parametrize(("declared", "main", "others"), [("response", ("response",), ("toxicity",)), ("", (), None)])
def test_the_main_response_of_a_study_gets_the_leaning_priors_whatever_its_name(
    make_study: StudyMaker, declared: str, main: tuple[str, ...], others: tuple[str, ...] | None
) -> None:
    line = f'main_population = "all"\nmain_response = "{declared}"' if declared else 'main_population = "all"'
    definition = make_study(ROW, definition=DEFINITION.replace('main_population = "all"', line)).definition
    assert _response("orr").endpoints_of(definition) == main
    assert _response("response_other").endpoints_of(definition) == (others or ("response", "toxicity"))
    assert _response("orr").title_in(definition) == ("Response" if declared else "Overall response rate")
    assert _response("response_other").title_in(definition) == _response("response_other").title


@pytest.mark.parametrize(
    ("declared", "rule"),
    [("rfs", "must be an endpoint of kind binary"), ("toxicity", "its enthusiastic prior expects a high rate")],
)
def test_a_main_response_that_the_priors_do_not_fit_is_a_fault(
    make_study: StudyMaker, declared: str, rule: str
) -> None:
    text = DEFINITION.replace('main_population = "all"', f'main_population = "all"\nmain_response = "{declared}"')
    with pytest.raises(InputError) as caught:
        make_study(ROW, definition=text)
    (problem,) = caught.value.problems
    assert problem.where.endswith("key main_response")
    assert problem.rule.startswith(rule)
