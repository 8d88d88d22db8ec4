"""Links of the index page: to what is there, never to what shows a patient."""

from __future__ import annotations

import os
from types import SimpleNamespace

from studylib.study.links import href, notebook_page, section_address
from studylib.study.sections import section


def run(folder, data):
    folder.mkdir(parents=True)
    return SimpleNamespace(folder=folder, name="07_demo", data=data)


def test_href_is_relative_and_safe(tmp_path):
    assert href(tmp_path / "a b" / 'x"&y.csv', tmp_path) == "a%20b/x%22%26y.csv"


def test_the_page_of_a_run_on_phantoms_is_shown_and_of_real_images_never(tmp_path):
    real, phantom = run(tmp_path / "real", "real"), run(tmp_path / "phantom", "phantom")
    (real.folder / "07_demo.html").write_text("<h2>patients</h2>")
    assert notebook_page([real, phantom]) is None
    (phantom.folder / "07_demo.html").write_text("<h2>phantoms</h2>")
    assert notebook_page([real, phantom]) == phantom.folder / "07_demo.html"


def test_an_anchor_that_the_page_lacks_is_left_off(tmp_path):
    page = tmp_path / "07_demo.html"
    page.write_text('<h2 class="x" id="What-it-shows?">What it shows?</h2>')
    assert section_address(page, section("What it shows?"), tmp_path) == "07_demo.html#What-it-shows?"
    assert section_address(page, section("Renamed"), tmp_path) == "07_demo.html"
    assert section_address(page, None, tmp_path) == "07_demo.html"
    assert section_address(None, section("What it shows?"), tmp_path) == ""
    page.write_text('<h2 id="Renamed">Renamed</h2>')  # run again: read again
    os.utime(page, ns=(0, 0))
    assert section_address(page, section("Renamed"), tmp_path) == "07_demo.html#Renamed"
