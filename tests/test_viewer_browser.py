"""The viewer in a real browser: a picture is handed in, the outline moved, the page kept; it stays on this machine."""

from __future__ import annotations

import io
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_site_browser import ARGUMENTS

from studylib.app.look import RESEARCH
from studylib.app.server import ADDRESS, command, environment

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("streamlit", reason="streamlit is not installed: pip install 'studylib[app]'")
PATIENCE = 120_000  # milliseconds, for a machine that does other things too


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    path = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium found: install the system's chromium package to try the viewer in a browser")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def served(browser, tiny_study, tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The viewer on a free port, its folders for temporary files its own. -> (address, where a file could appear)"""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        port = free.getsockname()[1]
    surroundings = environment(0) | {
        "STUDYLIB_HOME": str(tiny_study),
        "TMPDIR": str(home),
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
    }
    for name in ("STUDYLIB_RUNS", "STUDYLIB_REPORTS"):
        surroundings.pop(name, None)
    log = tmp_path_factory.mktemp("log") / "server.txt"
    with open(log, "w") as told:
        server = subprocess.Popen(command(port), env=surroundings, cwd=home, stdout=told, stderr=told)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://{ADDRESS}:{port}/_stcore/health", timeout=2)
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
        yield f"http://{ADDRESS}:{port}", home
    finally:
        server.terminate()
        server.wait(20)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture
def opened(browser, served):
    """Open the viewer with given options; what it logs as an error and whom it asks must be nothing and itself."""
    contexts, complaints, asked = [], [], set()

    def open_page(**options) -> sync_api.Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: asked.add(request.url.split("/")[2] if "//" in request.url else ""))
        tab.goto(served[0])
        tab.wait_for_selector("dl.card")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == [] and asked <= {served[0].split("/")[2], ""}


def picture() -> bytes:
    """A grey picture with a bright disc, as PNG."""
    y, x = np.mgrid[:80, :80]
    stream = io.BytesIO()
    Image.fromarray(np.where((y - 30) ** 2 + (x - 45) ** 2 < 160, 230, 70).astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_hand_a_picture_in_move_the_outline_keep_the_page(opened, served):
    tab = opened()
    before = files(served[1])
    assert tab.get_by_text(RESEARCH).is_visible() and tab.locator(".maps figure").count() == 6
    tab.get_by_text("My own picture").click()
    tab.locator("input[type=file]").set_input_files(
        {"name": "Mrs_Smith.png", "mimeType": "image/png", "buffer": picture()}
    )
    tab.get_by_text("Where the map lies").wait_for()
    tab.wait_for_function("document.querySelectorAll('.maps figure').length == 6")
    assert tab.get_by_text("Truth:").count() == 0
    first = tab.evaluate("document.querySelectorAll('.maps img')[1].src")
    tab.get_by_role("slider").focus()
    for _ in range(6):
        tab.keyboard.press("ArrowRight")
    tab.get_by_text("the map above 80 % of its maximum").wait_for()
    assert tab.evaluate("document.querySelectorAll('.maps img')[1].src") != first
    for kind, begins in (("PDF", b"%PDF"), ("PNG", b"\x89PNG")):
        with tab.expect_download() as kept:
            tab.get_by_role("button", name=kind, exact=False).last.click()
        content = Path(kept.value.path()).read_bytes()
        assert content.startswith(begins) and len(content) > 50_000 and b"Smith" not in content
        assert kept.value.suggested_filename == f"look.{kind.lower()}"
    # neither picture nor page was written by the server; matplotlib lists the fonts of a machine once
    assert [name for name in files(served[1]) - before if "matplotlib/fontlist" not in name] == []


def test_a_bad_file_is_one_sentence(opened):
    tab = opened()
    tab.get_by_text("My own picture").click()
    tab.locator("input[type=file]").set_input_files({"name": "cell.png", "mimeType": "image/png", "buffer": b"text"})
    tab.get_by_text("is not an image that can be read").wait_for()
    assert tab.locator(".maps").count() == 0 and tab.locator("dl.card").count() == 1


def test_the_notice_stays_when_the_page_is_scrolled(opened):
    tab = opened(viewport={"width": 375, "height": 700})
    tab.mouse.move(180, 400)
    tab.mouse.wheel(0, 1500)
    tab.wait_for_timeout(500)
    box = tab.get_by_text(RESEARCH).bounding_box()
    assert 0 <= box["y"] < 40 and tab.get_by_text(RESEARCH).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screens_and_both_colour_schemes(opened, scheme):
    tab = opened(viewport={"width": 375, "height": 800}, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 375
    beyond = """[...document.querySelectorAll('.maps, .card, .doubts, .said, .shares')]
        .filter(part => part.getBoundingClientRect().right > innerWidth + 1).map(part => part.className)"""
    assert tab.evaluate(beyond) == []
    grounds = tab.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    levels = [int(part) for part in grounds.removeprefix("rgb(").removesuffix(")").split(",")[:3]]
    assert (np.mean(levels) < 60) == (scheme == "dark")


def test_no_serious_fault_of_accessibility_in_what_is_ours(opened):
    """axe-core on the pieces that this house writes; the controls are Streamlit's."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab = opened()
    for part in (".notice", ".said", ".shares", ".doubts", ".words", ".maps", ".legend", "dl.card"):
        found = axe.Axe().run(tab, context=part).response["violations"]
        assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == [], part


def test_it_answers_this_machine_alone(served):
    port = int(served[0].rsplit(":", 1)[1])
    found = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
    for address in (address for address in found if not address.startswith("127.")):
        with socket.socket() as asked:
            asked.settimeout(1)
            assert asked.connect_ex((address, port)) != 0
