"""The page as Streamlit runs it: every control, a bad picture, no network; nothing is written, nothing is kept."""

from __future__ import annotations

import gc
import io
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_sheet import texts

from studylib.app import server
from studylib.app.card import card_of
from studylib.app.look import RESEARCH, Look
from studylib.app.network import Network
from studylib.app.sheet import sheet_of

testing = pytest.importorskip("streamlit.testing.v1", reason="streamlit is not installed: pip install 'studylib[app]'")
from studylib.app import viewer  # noqa: E402  (after streamlit is known to be there)


@pytest.fixture
def page(tiny_project):
    """The page, opened once on the tiny project."""
    return testing.AppTest.from_file(str(server.SCRIPT), default_timeout=120).run()


def html(page) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def look_of(page) -> Look:
    return page.session_state[viewer.KEPT][1]


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def example(tiny_network) -> np.ndarray:
    """A test image of the network, as a picture that someone could hand in."""
    return tiny_network.dataset.image(int(tiny_network.examples()["row"][0]))


@pytest.fixture
def runs(monkeypatch):
    """How often a network was run on a picture."""
    counted, explained = [], Network.explained
    monkeypatch.setattr(Network, "explained", lambda *a, **k: counted.append(1) or explained(*a, **k))
    return counted


def test_the_page_opens_with_an_example_and_says_what_it_is_for(page, tiny_network):
    assert not page.exception and not page.error
    assert html(page).index(RESEARCH) < html(page).index("The network says")
    look, table = look_of(page), tiny_network.examples()
    assert look.found.name == table["image"][0] and look.truth == table["label"][0] and look.mask is not None
    assert f"{100 * look.found.p.max():.0f} % calibrated confidence" in html(page)
    assert [box.label for box in page.sidebar.selectbox] == ["Study", "Images and profile", "Kind of network", "Fold"]
    assert "07 tiny" in page.sidebar.selectbox[0].options and "four convolutions" in page.sidebar.caption[1].value
    assert [button.proto.label for button in page.get("download_button")] == ["PDF", "PNG"]
    assert "Accuracy on unseen images" in html(page) and "Against the true outline" in [h.value for h in page.subheader]


def test_threshold_floor_and_overlay_redraw_and_never_run_the_network(page, runs):
    before = html(page)
    page.slider(key="cut").set_value(90).run()
    assert "above 90 % of its maximum" in html(page) and html(page) != before and not runs
    page.selectbox(key="floor").set_value("sobel").run()
    assert "Floor: edges" in html(page) and not runs
    plain = html(page)
    page.toggle(key="overlay").set_value(True).run()
    assert html(page) != plain and not runs and not page.exception


def test_methods_layers_and_the_map_that_words_are_about(page, runs):
    maps = next(group for group in page.get("button_group") if group.proto.label == "Maps")
    maps.set_value(["cam", "layercam"]).run()
    assert list(look_of(page).found.maps) == ["cam", "layercam"] and len(runs) == 1
    spoken = next(box for box in page.selectbox if box.label.startswith("Words"))
    spoken.set_value("layercam").run()
    assert look_of(page).found.spoken == "layercam" and "LayerCAM map" in html(page)
    assert "LayerCAM, random weights" in html(page)
    layer = next(box for box in page.selectbox if box.label == "Layer")
    layer.set_value("upper.relu3").run()
    assert look_of(page).found.layer == "upper.relu3" and list(look_of(page).found.maps) == ["gradcam", "gradcam++"]
    assert any("not defined at this layer" in caption.value and "CAM" in caption.value for caption in page.caption)
    assert not page.exception


def test_another_network_and_another_example(page, tiny_network):
    page.selectbox(key="example").set_value(1).run()
    assert look_of(page).found.name == tiny_network.examples()["image"][1]
    before = look_of(page).found.p
    kind = next(box for box in page.sidebar.selectbox if box.label == "Kind of network")
    kind.set_value("by_lot").run()
    assert not np.allclose(look_of(page).found.p, before)
    assert "learnt labels drawn by lot" in html(page) and "by_lot" in look_of(page).found.network


def test_an_upload_is_read_as_the_same_file_on_disk(page, tiny_network, example):
    known = look_of(page).found
    page.get("button_group")[0].set_value(viewer.OWN).run()
    assert "No picture yet" in " ".join(c.value for c in page.caption) and viewer.KEPT not in page.session_state
    page.file_uploader[0].upload("Mrs_Smith_1950.png", png(example), "image/png").run()
    look = look_of(page)
    np.testing.assert_allclose(look.found.p, known.p)
    assert look.truth == "" and look.mask is None and look.found.name.startswith("uploaded picture")
    assert "Smith" not in html(
        page
    )  # names of files often name people: no piece of the page or of the sheet repeats it
    assert "Smith" not in texts(sheet_of(look, card_of(tiny_network, Path("none")), threshold=0.5))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no picture at all", "is not an image that can be read"),
        (png(np.zeros((3, 40), np.uint8)), "40 x 3 pixels; at least 8"),
        (png(np.zeros((40, 40), np.uint8))[:50], "truncated or damaged"),
    ],
)
def test_a_bad_upload_is_one_sentence_and_the_page_goes_on(page, content, said):
    page.get("button_group")[0].set_value(viewer.OWN).run()
    page.file_uploader[0].upload("cell.png", content, "image/png").run()
    (error,) = page.error
    assert said in error.value and "\n" not in error.value and not page.exception
    assert viewer.KEPT not in page.session_state and "Accuracy on unseen images" in html(page)
    page.get("button_group")[0].set_value(viewer.EXAMPLE).run()
    assert not page.error and look_of(page).mask is not None


def everything_below(*folders: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and when it was written; what is gone meanwhile is left out."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file():
                    found[str(path)] = (path.stat().st_size, path.stat().st_mtime_ns)
            except OSError:
                continue
    return found


def test_an_upload_leaves_no_file_and_no_cache(page, example, tiny_project, tmp_path, monkeypatch):
    """Every file that Python opens for writing is watched, and every folder where one could appear."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before, opened, watched = everything_below(tiny_project, tmp_path), [], {"on": True}

    def watch(event: str, values: tuple) -> None:
        if watched["on"] and event == "open" and isinstance(values[2], int):
            if values[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                opened.append(values[0])

    sys.addaudithook(watch)  # cannot be taken off again, only silenced
    try:
        page.get("button_group")[0].set_value(viewer.OWN).run()
        strange = example.copy()
        strange[:7, :11] = 201
        page.file_uploader[0].upload("own.png", png(strange), "image/png").run()
        assert look_of(page).found.name.startswith("uploaded picture")
        page.slider(key="cut").set_value(70).run()
    finally:
        watched["on"] = False
    assert [path for path in opened if not str(path).startswith(("/dev/", "/proc/"))] == []
    assert everything_below(tiny_project, tmp_path) == before
    page.get("button_group")[0].set_value(viewer.EXAMPLE).run()
    gc.collect()
    kept = [o for o in gc.get_objects() if type(o) is Look and o.found.name.startswith("uploaded picture")]
    assert kept == []  # the next look took its place, and no cache holds it


def test_without_a_network_the_page_says_what_trains_one(tiny_project, monkeypatch, tmp_path):
    monkeypatch.setenv("STUDYLIB_RUNS", str(tmp_path))
    page = testing.AppTest.from_file(str(server.SCRIPT), default_timeout=60).run()
    assert not page.exception and "The viewer trains nothing" in page.info[0].value
    assert page.code[0].value == "make networks STUDY=01" and RESEARCH in html(page)


def test_a_network_of_other_settings_is_not_shown(tiny_project, monkeypatch, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(tiny_project, root)
    settings = root / "notebooks" / "07_tiny.toml"
    settings.write_text(settings.read_text().replace("[quick]", "[quick]\nlearning_rate = 0.5"))
    monkeypatch.setenv("STUDYLIB_HOME", str(root))
    page = testing.AppTest.from_file(str(server.SCRIPT), default_timeout=60).run()
    assert "other settings" in page.sidebar.warning[0].value and page.sidebar.code[0].value == "make networks STUDY=07"


def test_a_look_is_there_within_a_second_once_the_network_is(page):
    page.selectbox(key="example").set_value(2).run()
    began = time.process_time()
    page.selectbox(key="example").set_value(3).run()
    assert time.process_time() - began < 5  # of the processor, whatever else runs: nothing is prepared twice
