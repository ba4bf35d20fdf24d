"""The report on a fit in a real browser: whole, quiet, offline, and fit for phone, desk and paper."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext
from tests.unit.fits import question, results_of, written_fit

from .test_report import TOO_WIDE, WIDTHS, open_page

pytestmark = pytest.mark.browser

BUILT = Path(__file__).parents[2] / "results" / "example" / "report.html"
SECTIONS = ("hazard-ratios", "survival", "other-methods", "priors", "checks", "patients", "methods", "provenance")


@pytest.fixture(scope="session")
def real_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small fit to real patients, with HTML in its labels, that did not converge."""
    from ixa_bayes.report.fit.figures import draw_fit
    from ixa_bayes.report.fit.page import render_fit_page

    results = results_of(written_fit(question(evidence_kind="patients"), apart=0.6))
    path = tmp_path_factory.mktemp("fit_page") / "report.html"
    path.write_text(render_fit_page(results, draw_fit(results)), encoding="utf-8")
    return path


@pytest.fixture(scope="session", params=["built", "real"])
def fit_report(request: pytest.FixtureRequest, real_report: Path) -> Path:
    """The report on the example that `make reanalysis` wrote, and the small page."""
    if request.param == "real":
        return real_report
    if not BUILT.exists():
        reason = "results/example/report.html is not built; run `make reanalysis`"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return BUILT


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context()
    yield opened
    opened.close()


def test_console_is_quiet_and_nothing_is_requested(context: BrowserContext, fit_report: Path) -> None:
    said: list[str] = []
    requested: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(fit_report.as_uri())
    page.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in requested if not url.startswith(("file://", "data:"))] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(context: BrowserContext, fit_report: Path, width: int) -> None:
    page = open_page(context, fit_report, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []


def test_complete_without_scripts(browser: Browser, fit_report: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = open_page(context, fit_report)
        for section in SECTIONS:
            assert page.locator(f"#{section} h2").is_visible(), section
        assert page.locator("#table-hazard-ratios").is_visible()
        assert page.locator("#figure-survival svg").is_visible()


def test_the_answer_is_on_the_first_screen(context: BrowserContext, fit_report: Path) -> None:
    page = open_page(context, fit_report)
    findings = page.locator(".findings > li")
    assert 3 <= findings.count() <= 6
    box = findings.first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 900
    assert "the probability that it is above 1" in findings.first.inner_text()


def test_a_warning_stands_in_every_section_of_results(context: BrowserContext, real_report: Path) -> None:
    page = open_page(context, real_report)
    for section in ("summary", *SECTIONS[:6]):
        assert page.locator(f"#{section} .watermark").first.is_visible(), section


def test_every_figure_has_alternative_text(context: BrowserContext, fit_report: Path) -> None:
    page = open_page(context, fit_report)
    described = page.evaluate(
        """() => [...document.querySelectorAll('figure svg')].map(svg =>
          svg.getAttribute('role') === 'img' &&
          svg.getAttribute('aria-labelledby').split(' ')
            .every(id => document.getElementById(id).textContent.length > 10))"""
    )
    assert len(described) >= 8
    assert all(described)


def test_every_internal_link_reaches_an_anchor(context: BrowserContext, fit_report: Path) -> None:
    page = open_page(context, fit_report)
    lost = page.evaluate(
        """() => [...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute('href').slice(1))
          .filter(id => !document.getElementById(id))"""
    )
    assert lost == []


def test_sensible_on_paper(context: BrowserContext, fit_report: Path) -> None:
    page = open_page(context, fit_report)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("#table-hazard-ratios").is_visible()
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") <= 12
    cut = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(s => getComputedStyle(s).overflowX !== 'visible').length"
    )
    assert cut == 0


def test_simulated_patients_are_called_so_at_the_top(context: BrowserContext) -> None:
    if not BUILT.exists():
        pytest.skip("results/example/report.html is not built; run `make reanalysis`")
    page = open_page(context, BUILT)
    assert "SIMULATED PATIENTS" in page.locator("header .watermark").inner_text()
