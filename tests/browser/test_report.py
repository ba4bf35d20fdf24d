"""The report in a real browser: whole, quiet, offline, and fit for phone, desk and paper."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page

pytestmark = pytest.mark.browser

WIDTHS = (390, 1280)
TOO_WIDE = """() => {
  const wide = document.documentElement.clientWidth;
  const inside = element => {
    for (let up = element.parentElement; up; up = up.parentElement) {
      if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX)) return true;
    }
    return false;
  };
  return [...document.body.querySelectorAll('*')]
    .filter(element => element.getBoundingClientRect().right > wide + 1 && element.getClientRects().length)
    .filter(element => !inside(element))
    .map(element => element.outerHTML.slice(0, 120));
}"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context()
    yield opened
    opened.close()


def open_page(context: BrowserContext, path: Path, *, width: int = 1280) -> Page:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path.as_uri())
    return page


def test_console_is_quiet_and_nothing_is_requested(context: BrowserContext, report: Path) -> None:
    said: list[str] = []
    requested: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in requested if not url.startswith(("file://", "data:"))] == []
    assert report.as_uri() in requested


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(context: BrowserContext, report: Path, width: int) -> None:
    page = open_page(context, report, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_an_element_that_is_too_wide_would_be_found(context: BrowserContext, small_report: Path, width: int) -> None:
    page = open_page(context, small_report, width=width)
    page.evaluate("document.querySelector('h1').style.width = '2000px'")
    assert page.evaluate(TOO_WIDE)


def test_complete_without_scripts(browser: Browser, report: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = open_page(context, report)
        for section in ("paper", "audit", "hazard-ratios", "credibility", "response", "methods", "ledger"):
            assert page.locator(f"#{section} h2").is_visible()
        folded = page.locator("details:has(#table-hazard-ratios) > summary")
        if folded.count():
            folded.click()
        assert page.locator("#table-hazard-ratios").is_visible()


def test_summary_is_on_the_first_screen(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report)
    findings = page.locator(".findings > li")
    assert 3 <= findings.count() <= 5
    box = findings.first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 900


def test_every_figure_has_alternative_text(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report)
    described = page.evaluate(
        """() => [...document.querySelectorAll('figure svg')].map(svg =>
          svg.getAttribute('role') === 'img' &&
          svg.getAttribute('aria-labelledby').split(' ')
            .every(id => document.getElementById(id).textContent.length > 10))"""
    )
    assert described
    assert all(described)


def test_every_internal_link_reaches_an_anchor(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report)
    lost = page.evaluate(
        """() => [...document.querySelectorAll('a[href^="#"]')].map(a => a.getAttribute('href').slice(1))
          .filter(id => !document.getElementById(id))"""
    )
    assert lost == []
    assert page.locator('a[href^="#row-"]').count() > 10


def test_a_link_to_the_ledger_shows_its_row(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report)
    link = page.locator('#summary a[href^="#row-"]').first
    target = (link.get_attribute("href") or "")[1:]
    link.click()
    assert page.locator(f"[id='{target}']").is_visible()
    assert page.evaluate(
        "id => { const top = document.getElementById(id).getBoundingClientRect().top; return top >= 0 && top < 900 }",
        target,
    )


def test_sensible_on_paper(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator("h1").is_visible()
    assert page.locator("#table-credibility").is_visible()
    cut = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(s => getComputedStyle(s).overflowX !== 'visible').length"
    )
    assert cut == 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_paper_has_every_table_or_the_name_of_its_file(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report)
    page.emulate_media(media="print")
    lost = page.evaluate(
        """() => [...document.querySelectorAll('table')].filter(table => !table.checkVisibility())
          .filter(table => !table.closest('.on-screen')?.previousElementSibling?.matches('.on-paper'))
          .map(table => table.id)"""
    )
    assert lost == []
    assert all(note.is_visible() for note in page.locator(".on-paper").all())
    folded = page.locator(":is(details.long, details.further):not(.on-screen *)").all()
    assert all(details.evaluate("d => d.getBoundingClientRect().height > 8") for details in folded)


def test_paper_is_not_endless(context: BrowserContext, report: Path) -> None:
    pages = re.findall(rb"/Type /Page\b", open_page(context, report).pdf(format="A4"))
    assert 1 <= len(pages) <= 30


def test_phone_is_told_of_what_lies_beside_the_window(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report, width=390)
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    silent = page.evaluate(
        """() => [...document.querySelectorAll('.scroll, .cards, .picture')]
          .filter(box => box.scrollWidth > box.clientWidth + 1)
          .filter(box => !box.previousElementSibling?.matches('.hint'))
          .map(box => box.getAttribute('aria-label'))"""
    )
    assert silent == []
    assert all(hint.is_visible() for hint in page.locator(".hint").all())
    assert page.locator(".cards thead").first.is_hidden()
    desk = open_page(context, report)
    assert all(not hint.is_visible() for hint in desk.locator(".hint").all()[:5])


def test_dark_mode_keeps_contrast(context: BrowserContext, report: Path) -> None:
    page = open_page(context, report)
    page.emulate_media(color_scheme="dark")
    ink, paper = page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert ink != paper
    assert page.evaluate("getComputedStyle(document.querySelector('.picture')).backgroundColor") == "rgb(255, 255, 255)"


def test_html_in_labels_is_shown_as_text(context: BrowserContext, small_report: Path) -> None:
    opened: list[str] = []

    def note(dialog: Dialog) -> None:
        opened.append(dialog.message)
        dialog.dismiss()

    page = context.new_page()
    page.on("dialog", note)
    page.goto(small_report.as_uri())
    assert opened == []
    assert page.locator("script, img").count() == 0
    assert "<script>alert('title')</script>" in page.locator("h1").inner_text()
