"""Which networks the viewer offers: those that are finished, by these settings and this code; it trains nothing."""

from __future__ import annotations

import json
import shutil

import pytest

from studylib.app import choices
from studylib.app.choices import Collection, collections, networks, open_collection, training_command
from studylib.study.settings import load_settings
from studylib.study.train import Workshop

ARM = """[arms.marker]
model = "staged"
phantom = "marker"
crop = "none"
options = {architecture = "small"}
"""
FAMILY = """[quick.variants.marker]
patients = 36
slices = 1
size = 64
cue = "marker"
[quick.fits]
marker = {group = 1}"""


def test_only_what_is_trained_is_offered(tiny_study):
    found = collections(tiny_study, tiny_study / "runs")
    assert found == [Collection("07", "phantom", "quick", "07_tiny", "A tiny study")]
    assert collections(tiny_study, tiny_study / "nowhere") == []
    assert collections(tiny_study, tiny_study / "runs", seed=5) == []  # nobody trained with that seed


def test_networks_of_a_collection_without_those_that_name_no_class(tiny_study):
    (collection,) = collections(tiny_study, tiny_study / "runs")
    _, fits = open_collection(collection, tiny_study, tiny_study / "runs")
    assert [t.run.name for t in fits] == ["small-group-0", "small-group-1", "by_lot-group-0"]
    assert [choices.said(t.run) for t in fits][:2] == ["fold 1, seed 0", "fold 2, seed 1"]


def test_a_network_of_other_settings_is_not_taken_for_this_one(tiny_study, tmp_path):
    """The list is made from what lies beside the weights; the key, which knows settings, data and code, decides."""
    root = tmp_path / "project"
    shutil.copytree(tiny_study, root)
    settings = root / "notebooks" / "07_tiny.toml"
    settings.write_text(settings.read_text().replace("[quick]", "[quick]\nlearning_rate = 0.5"))
    (collection,) = collections(root, root / "runs")
    workshop = Workshop(load_settings("07", root), "phantom", "quick", 0, root / "runs")
    assert len(networks(workshop)) == 0 and collection.command == "make networks STUDY=07"


def test_an_arm_that_nobody_trained_draws_no_images(tiny_study, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(tiny_study, root)
    settings = root / "notebooks" / "07_tiny.toml"
    settings.write_text(settings.read_text().replace("[quick]", f"{ARM}[quick]").replace("[quick.fits]", FAMILY))
    before = sorted((root / "runs" / "phantoms").glob("tumours-*"))
    (collection,) = collections(root, root / "runs")
    _, fits = open_collection(collection, root, root / "runs")
    assert len(fits) == 3 and sorted((root / "runs" / "phantoms").glob("tumours-*")) == before


@pytest.mark.parametrize(
    ("asked", "typed"),
    [
        (("01",), "make networks STUDY=01"),
        (("04", "real", "standard"), "make networks STUDY=04 DATA=real PROFILE=standard"),
        (("05", "phantom", "paper"), "make networks STUDY=05 PROFILE=paper"),
    ],
)
def test_the_command_leaves_out_what_is_the_default(asked, typed):
    assert training_command(*asked) == typed


def test_what_was_trained_on_phantoms_is_not_offered_as_real(tiny_study):
    specs = [json.loads(path.read_text()) for path in (tiny_study / "runs" / "07").glob("*/spec.json")]
    assert {spec["dataset"].split("-")[0] for spec in specs} == {"tumours"}
    assert {c.data for c in collections(tiny_study, tiny_study / "runs")} == {"phantom"}
