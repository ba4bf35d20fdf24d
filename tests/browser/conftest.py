import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from ixa_bayes.report.results import Results

ARGUMENTS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BUILT = Path(__file__).parents[2] / "results" / "zhou2026" / "report.html"


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Debian's Chromium, or the one that CHROMIUM names; a skip without one is a failure in CI."""
    executable = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if executable is None:
        reason = "no Chromium on PATH and CHROMIUM is not set"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright  # here, so that a machine without a browser still collects

    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root alone
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS, *root])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def small_report(hostile_results: "Results", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small page with HTML in its labels."""
    from ixa_bayes.report.figures import draw_all
    from ixa_bayes.report.page import render_page

    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_page(hostile_results, draw_all(hostile_results)), encoding="utf-8")
    return path


@pytest.fixture(scope="session", params=["built", "small"])
def report(request: pytest.FixtureRequest, small_report: Path) -> Path:
    """The report that `make reanalysis` wrote, if it did, and the small page."""
    if request.param == "small":
        return small_report
    if not BUILT.exists():
        pytest.skip("results/zhou2026/report.html is not built; run `make reanalysis`")
    return BUILT
