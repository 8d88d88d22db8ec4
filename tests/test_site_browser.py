"""The index in a real browser: filters, keyboard, narrow screens, dark mode, print, no request that leaves the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_site import add_report, committed  # noqa: F401 - a fixture

from studylib.study import marks, site

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ROWS = [
    ("7.1", "data", "reproduced", "phantom"),
    ("7.2", "classification", "partly", "phantom"),
    ("7.3", "classification", "not reproduced", "phantom"),
    ("7.4", "localisation", "undecided", "phantom"),
    ("7.5", "reference", "not testable", "document"),
]

# The beginnings of what runs out at the right of the elements that a selector names.
BEYOND = """selector => [...document.querySelectorAll(selector)].flatMap(box => [...box.querySelectorAll('*')]
    .filter(part => !part.closest(".unseen")
        && part.getBoundingClientRect().right > box.getBoundingClientRect().right + 1)
    .map(part => part.outerHTML.slice(0, 80)))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    path = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if path is None:
        pytest.skip("no Chromium found: install the system's chromium package to check the page in a browser")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    reports = tmp_path_factory.mktemp("site") / "reports"
    add_report(reports, rows=ROWS, statement="A-very-long-word-without-a-place-to-break-it-" * 3)
    seen = [  # phantoms settle the rest
        (
            claim,
            topic,
            "reproduced" if topic == "data" else "not testable",
            "document" if topic == "reference" else "real",
        )
        for claim, topic, _, _ in ROWS
    ]
    add_report(reports, "real-standard", rows=seen, statement="A-very-long-word-without-a-place-to-break-it-" * 3)
    return site.build(reports)


@pytest.fixture
def opened(browser, index):
    """Open the page with given options; what it logs and asks for is collected, and must be nothing."""
    contexts, complaints, asked = [], [], []

    def open_page(**options) -> sync_api.Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(index.as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert {url for url in asked if not url.startswith("data:")} <= {index.as_uri()}


def visible_claims(tab: sync_api.Page) -> list[str]:
    return tab.locator("table.verdicts tr[data-verdict]:visible .id").all_inner_texts()


def said(tab: sync_api.Page) -> str:
    return tab.locator("#shown").inner_text()


def test_filters(opened):
    tab = opened()
    assert len(visible_claims(tab)) == 5 and said(tab).startswith("5 of 5 statements shown: ")
    tab.select_option("select[name=topic]", "classification")
    assert visible_claims(tab) == ["7.2", "7.3"]
    tab.select_option("select[name=verdict]", "partly")
    assert visible_claims(tab) == ["7.2"] and said(tab) == "1 of 5 statements shown: 1 partly"
    tab.select_option("select[name=evidence]", "document")
    assert visible_claims(tab) == [] and tab.locator("#none").is_visible()
    assert said(tab) == "0 of 5 statements shown" and not tab.locator("#statements-07").is_visible()
    tab.get_by_role("button", name="Show all").click()
    sync_api.expect(tab.locator("#shown")).to_contain_text("5 of 5")
    assert len(visible_claims(tab)) == 5 and not tab.locator("#none").is_visible()
    tab.fill("input[name=words]", "UNDECIDED localisation")
    assert visible_claims(tab) == ["7.4"]
    tab.select_option("select[name=study]", "07")
    assert visible_claims(tab) == ["7.4"]


def test_counts_are_announced(opened):
    shown = opened().locator("#shown")
    assert shown.get_attribute("role") == "status" and shown.get_attribute("aria-live") == "polite"
    assert (
        shown.inner_text()
        == "5 of 5 statements shown: 1 reproduced, 1 partly, 1 not reproduced, 1 undecided, 1 not testable"
    )


def test_the_address_keeps_the_filters(opened, index):
    tab = opened()
    tab.select_option("select[name=topic]", "classification")
    tab.fill("input[name=words]", "a-very 7.3")
    address = tab.evaluate("location.href")
    assert address == f"{index.as_uri()}#topic=classification&words=a-very+7.3"
    other = opened()
    other.goto(address)
    other.reload()
    assert visible_claims(other) == ["7.3"] and other.input_value("input[name=words]") == "a-very 7.3"
    other.get_by_role("button", name="Show all").click()
    sync_api.expect(other.locator("#shown")).to_contain_text("5 of 5")
    assert other.evaluate("location.href") == f"{index.as_uri()}#statements"


def test_an_address_that_asks_for_what_is_not_there_says_so(opened, index):
    tab = opened()
    tab.goto(f"{index.as_uri()}#verdict=true&topic=data")
    assert visible_claims(tab) == ["7.1"]
    assert said(tab).startswith('The address asks for verdict "true", which is not here. 1 of 5')
    tab.select_option("select[name=topic]", "")
    assert said(tab).startswith("5 of 5")


def test_a_link_to_a_hidden_statement_shows_it(opened, index):
    tab = opened()
    tab.select_option("select[name=topic]", "classification")
    tab.evaluate("location.hash = '#s-7.4'")
    sync_api.expect(tab.locator("#shown")).to_contain_text("5 of 5")
    assert tab.locator("#s-7\\.4").is_visible() and tab.locator("#s-7\\.4").bounding_box()["y"] < 900
    tab.evaluate("location.hash = '#verdict=partly'")
    sync_api.expect(tab.locator("#shown")).to_contain_text("1 of 5")
    assert visible_claims(tab) == ["7.2"]


def test_filters_work_by_keyboard(opened):
    tab = opened()
    tab.locator("select[name=study]").focus()
    tab.keyboard.press("Tab")
    tab.keyboard.type("loc")  # the select that has the focus now is that of topics
    assert tab.evaluate("document.activeElement.name") == "topic" and visible_claims(tab) == ["7.4"]
    for _ in range(3):
        tab.keyboard.press("Tab")
    tab.keyboard.type("nothing")
    assert visible_claims(tab) == []
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    sync_api.expect(tab.locator("#shown")).to_contain_text("5 of 5")


def test_without_script_every_row_stands_and_no_dead_filter(opened):
    tab = opened(java_script_enabled=False)
    assert len(visible_claims(tab)) == 5 and not tab.locator("#filters").is_visible()


@pytest.mark.parametrize("width", [320, 375, 700, 960, 1280, 1920])
def test_no_sideways_scrolling(opened, width):
    tab = opened(viewport={"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate(BEYOND, "main") == []


def test_cells_do_not_run_into_each_other(opened):
    tab = opened(viewport={"width": 1000, "height": 800})
    for cell in ("td", "tbody th"):
        assert tab.evaluate(BEYOND, f".verdicts {cell}") == []


def contrast(first: list[float], second: list[float]) -> float:
    """WCAG 2 contrast ratio of two sRGB colours, 0..255."""

    def luminance(colour):
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour[:3])
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_by_hand():
    assert contrast([0, 0, 0], [255, 255, 255]) == pytest.approx(21)
    assert contrast([119, 119, 119], [255, 255, 255]) == pytest.approx(4.48, abs=0.01)  # a known grey just below 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(opened, scheme):
    """Contrast of 4.5 or more (WCAG 2 AA) for every text on its background."""
    tab = opened(color_scheme=scheme)
    pairs = tab.evaluate(
        """() => [...document.querySelectorAll('main *, footer *')].filter(e => e.innerText && [...e.childNodes].some(
            n => n.nodeType === 3 && n.textContent.trim())).map(e => {
                let back = e; const colour = c => c.match(/[\\d.]+/g).map(Number);
                while (back && colour(getComputedStyle(back).backgroundColor)[3] === 0) back = back.parentElement;
                const behind = getComputedStyle(back || document.documentElement).backgroundColor;
                return [colour(getComputedStyle(e).color), colour(behind), e.innerText.slice(0, 40)];
            })"""
    )
    assert len(pairs) > 100
    assert [(text, round(contrast(*colours), 2)) for *colours, text in pairs if contrast(*colours) < 4.5] == []
    dark = (
        sum(tab.evaluate("getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).map(Number)")) < 200
    )
    assert dark == (scheme == "dark")


def test_verdicts_are_told_by_word_and_sign(opened):
    words = set(opened().locator(".key .badge").all_inner_texts())
    assert words == {f"{sign} {word}" for word, (sign, _) in marks.VERDICT_MARKS.items()}


def test_keyboard_reaches_everything(opened):
    tab = opened()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the results"
    assert tab.locator(".skip").bounding_box()["x"] >= 0  # it comes into view when it has the focus
    reached = set()
    for _ in range(80):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("(document.activeElement.name || document.activeElement.tagName).toLowerCase()"))
    assert {"study", "topic", "verdict", "evidence", "words", "a", "button", "summary"} <= reached


def test_focus_is_seen(opened):
    tab = opened()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")  # from the skip link to the first link of the page
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert tab.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2


def test_print(opened):
    """Every row is printed, whatever the filters show."""
    tab = opened(viewport={"width": 690, "height": 1000})
    tab.select_option("select[name=verdict]", "partly")
    tab.emulate_media(media="print")
    assert not tab.locator("#filters").is_visible() and not tab.locator("nav").is_visible()
    assert tab.locator(".verdicts thead").is_visible() and len(visible_claims(tab)) == 5
    assert tab.evaluate("document.documentElement.scrollWidth") <= 690


def test_headings_do_not_skip_a_level(opened):
    levels = [int(name[1]) for name in opened().eval_on_selector_all("h1,h2,h3,h4", "all => all.map(e => e.tagName)")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip(levels, levels[1:], strict=False))


def axe_faults(tab: sync_api.Page) -> list[str]:
    """What axe-core finds serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(tab).response["violations"]
    return [
        f"{fault['impact']} {fault['id']}: {fault['nodes'][0]['html'][:120]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_axe_finds_nothing_serious(opened, scheme, width):
    tab = opened(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    assert axe_faults(tab) == []


def test_axe_sees_a_fault(opened):
    """The check itself: a field without a name is a fault."""
    tab = opened(bypass_csp=True)
    tab.evaluate("document.getElementById('main').append(document.createElement('input'))")
    assert any("label" in fault for fault in axe_faults(tab))


def test_the_page_of_the_committed_reports(browser, committed):  # noqa: F811
    """All statements filter, nothing runs out at 375 pixels, nothing is logged or asked for, axe finds no fault."""
    page, _ = committed
    complaints, asked = [], []
    context = browser.new_context(viewport={"width": 375, "height": 800}, bypass_csp=True)
    tab = context.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= 375 and tab.evaluate(BEYOND, "main") == []
    assert tab.evaluate(BEYOND, "#filters label") == []  # no field lies over its neighbour
    assert said(tab).startswith("280 of 280 statements shown")
    tab.goto(f"{page.as_uri()}#study=01&topic=text")
    found = visible_claims(tab)
    assert found and all(claim.startswith("1.") for claim in found) and len(found) < 37
    assert axe_faults(tab) == []
    assert complaints == [] and {url.split("#")[0] for url in asked if not url.startswith("data:")} == {page.as_uri()}
    context.close()
