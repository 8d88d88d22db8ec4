"""A review sheet in a real browser: what is clicked and typed is what is saved, and it is there again later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_review_sheet import make_items, write
from test_site_browser import BEYOND, browser  # noqa: F401 - a fixture

from studylib.study.review import read_review

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def sheet(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sheet") / "review"
    return write(folder, make_items(3), reasons=("Large polyp", "Vaginal wall close")).parent


@pytest.fixture
def tab(browser, sheet) -> Iterator[sync_api.Page]:  # noqa: F811
    """The first page; what it logs, and what it asks for outside of the folder, must be nothing."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, accept_downloads=True)
    page, complaints, asked = context.new_page(), [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((sheet / "index.html").as_uri())
    yield page
    context.close()
    assert complaints == []
    assert all(url.startswith((sheet.as_uri(), "data:", "blob:")) for url in asked)


def choose(tab, side: str, verdict: str) -> None:
    tab.locator(f'form[data-side="{side}"] label', has_text=verdict).click()


def save(tab, path: Path) -> Path:
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save my verdicts").click()
    assert download.value.suggested_filename.startswith("verdicts_s")
    download.value.save_as(path)
    return path


def test_what_is_clicked_is_what_is_saved_and_read(tab, sheet, tmp_path):
    tab.get_by_role("link", name="Begin").click()
    choose(tab, "A", "meaningful")
    choose(tab, "B", "out of region")
    tab.locator('form[data-side="B"] [name=reason]').fill("Large polyp")
    tab.locator('form[data-side="B"] [name=comment]').fill('upper "lip"; both,\nsure; größer')
    assert tab.locator("#progress").inner_text() == "2 of 6 maps judged"
    tab.get_by_role("link", name="Next").first.click()
    tab.keyboard.press("3")  # the first map without a verdict
    tab.keyboard.press("5")
    tab.keyboard.press("n")
    sync_api.expect(tab.locator("h1")).to_have_text("Photograph 3 of 3")
    choose(tab, "A", "bad image")
    choose(tab, "A", "wrong label")  # changed her mind
    tab.get_by_role("link", name="Finish").first.click()
    assert tab.locator("#progress").inner_text() == "5 of 6 maps judged"
    states = tab.eval_on_selector_all("a[data-image]", "all => all.map(a => a.dataset.state)")
    assert states == ["✓ judged", "✓ judged", "1 of 2"]
    review = read_review([save(tab, tmp_path / "anna.csv")], sheet.parent / "review_key.csv", allow_missing=True)
    rows = review.table.sort_values(["image", "side"])
    assert rows["verdict"].tolist() == [
        "meaningful",
        "out_of_region",
        "insufficient_coverage",
        "bad_image",
        "wrong_label",
        "",
    ]
    assert rows["reason"].tolist()[1] == "Large polyp"
    assert rows["comment"].tolist()[1] == 'upper "lip"; both,\nsure; größer'


def test_answers_are_there_again_and_another_tab_does_not_undo_them(tab, sheet):
    tab.goto((sheet / "image001.html").as_uri())
    choose(tab, "A", "meaningful")
    second = tab.context.new_page()
    second.goto((sheet / "image002.html").as_uri())
    choose(second, "A", "out of region")
    choose(tab, "B", "bad image")
    tab.goto((sheet / "index.html").as_uri())
    assert tab.locator("#progress").inner_text() == "3 of 6 maps judged"
    tab.goto((sheet / "image002.html").as_uri())
    assert tab.locator('form[data-side="A"] :checked').get_attribute("value") == "out_of_region"


def test_answers_travel_where_a_browser_keeps_none(browser, sheet, tmp_path):  # noqa: F811
    context = browser.new_context(accept_downloads=True)
    context.add_init_script(
        "Storage.prototype.setItem = Storage.prototype.getItem = () => { throw new Error('off'); };"
    )
    page = context.new_page()
    page.goto((sheet / "image001.html").as_uri())
    choose(page, "A", "meaningful")
    page.get_by_role("link", name="Next").first.click()
    choose(page, "B", "bad image")
    page.get_by_role("link", name="All photographs").first.click()
    assert page.locator("#progress").inner_text() == "2 of 6 maps judged"
    text = save(page, tmp_path / "v.csv").read_text(encoding="utf-8-sig")
    assert "image001,A,meaningful," in text and "image002,B,bad_image," in text
    context.close()


def test_keyboard_reaches_every_answer_and_typing_is_not_a_command(tab, sheet):
    tab.goto((sheet / "image002.html").as_uri())
    tab.keyboard.press("b")
    assert tab.evaluate("document.activeElement.closest('form').dataset.side") == "B"
    tab.keyboard.press("2")  # for the map whose answers have the focus
    tab.keyboard.press("ArrowDown")
    assert tab.locator('form[data-side="B"] :checked').get_attribute("value") == "insufficient_coverage"
    assert tab.locator('form[data-side="A"] :checked').count() == 0
    tab.locator('form[data-side="A"] [name=comment]').focus()
    tab.keyboard.type("1 napkin on B")
    assert (
        tab.locator("h1").inner_text() == "Photograph 2 of 3"
        and tab.locator('form[data-side="A"] :checked').count() == 0
    )


def test_without_script_no_dead_form(browser, sheet):  # noqa: F811
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((sheet / "image001.html").as_uri())
    assert page.locator("form:visible").count() == 0 and page.get_by_text("write your verdicts into").is_visible()
    context.close()


@pytest.mark.parametrize("width", [320, 375, 900, 1200])
def test_no_sideways_scrolling(tab, sheet, width):
    tab.set_viewport_size({"width": width, "height": 800})
    for name in ("index", "image002"):
        tab.goto((sheet / f"{name}.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate(BEYOND, "main") == []


def test_headings_do_not_skip_a_level(tab, sheet):
    for name in ("index", "image002"):
        tab.goto((sheet / f"{name}.html").as_uri())
        levels = [int(h[1]) for h in tab.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(e => e.tagName)")]
        assert levels[0] == 1 and set(levels[1:]) == {2}
