"""The table of public sets, and what is said when real images are asked for and are not there."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from studylib.data import catalogue
from studylib.data.dataset import DataError

REAL = os.environ.get("STUDYLIB_DATA", "")  # read before the tests below take it away
NAMES = [
    "brain_mri",
    "brain_mri_originals",
    "brain_figshare",
    "pap_herlev",
    "sipakmed",
    "annocerv",
    "cervix_types",
    "isic_multi",
    "isic2017",
    "ham10000",
    "isic2018_task1",
    "isic2019",
]


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    """The tables of this clone, and no real images unless a test says so."""
    monkeypatch.setenv("STUDYLIB_HOME", str(Path(__file__).resolve().parents[1]))
    monkeypatch.delenv("STUDYLIB_DATA", raising=False)


def test_all_sets_have_all_fields_and_two_sentences_of_traps():
    assert catalogue.names() == NAMES
    for name in NAMES:
        about = catalogue.entry(name)
        assert all(about[field] for field in catalogue.FIELDS)
        assert about["study"] in {"01", "02", "03", "04", "05"} and about["images"] > 100
        assert about["homepage"].startswith("http")
        sentences = [part for part in re.split(r"(?<=[.])\s+(?=[A-Z])", about["traps"]) if part]
        assert len(sentences) == 2, (name, sentences)
    assert [n for n in NAMES if not catalogue.entry(n)["one_label_per_group"]] == [
        "pap_herlev",
        "annocerv",
        "cervix_types",
    ]


def test_licence_says_who_owns_it_and_how_to_cite():
    text = catalogue.licence("brain_figshare")
    for part in (
        "brain_figshare: Brain tumours of Jun Cheng",
        "CC BY 4.0",
        "cite      Cheng J.",
        "10.6084/m9.figshare",
    ):
        assert part in text
    assert "none stated" in catalogue.licence("pap_herlev")


def test_unknown_name_names_the_nearest():
    for call in (catalogue.find, catalogue.licence, catalogue.entry):
        with pytest.raises(DataError, match="no dataset is called 'brain_mir'.*did you mean 'brain_mri'"):
            call("brain_mir")


def test_without_studylib_data_the_message_says_what_to_set_and_how_to_get_it():
    with pytest.raises(DataError) as caught:
        catalogue.find("annocerv")
    message = str(caught.value)
    assert "STUDYLIB_DATA is not set: set it to the folder that holds annocerv/" in message
    assert "Clone the homepage" in message and "github.com/iclx/AnnoCerv" in message and "DATA=phantom" in message


def test_wrong_folder_and_missing_set(tmp_path, monkeypatch, tiny_dataset):
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="which is not a folder"):
        catalogue.find("brain_mri")
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path))
    with pytest.raises(DataError, match="brain_mri does not exist .* and holds no known set"):
        catalogue.find("brain_mri")
    tiny_dataset.rename(tmp_path / "brain_mri")
    (tmp_path / "annocerv").mkdir()
    with pytest.raises(DataError, match="annocerv has no dataset.json .* and holds brain_mri"):
        catalogue.find("annocerv")
    assert catalogue.find("brain_mri") == tmp_path / "brain_mri"


def test_load_uses_the_safe_unit_and_what_is_known_of_the_set(tmp_path, monkeypatch, tiny_dataset):
    tiny_dataset.rename(tmp_path / "annocerv")
    path = tmp_path / "annocerv/metadata.csv"
    path.write_text(path.read_text().replace("no,p1", "no,p0"))  # one group, two labels
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path))
    assert len(catalogue.load("annocerv")) == 12
    (tmp_path / "annocerv").rename(tmp_path / "brain_mri")
    with pytest.raises(DataError, match="group 'p0' has the labels"):
        catalogue.load("brain_mri")
    (tmp_path / "brain_mri").rename(tmp_path / "brain_figshare")
    with pytest.raises(DataError, match="the column 'person_inferred' is missing"):
        catalogue.load("brain_figshare")


def test_listing_has_a_line_for_each_set_and_says_what_is_here(tmp_path, monkeypatch, tiny_dataset):
    lines = catalogue.listing().splitlines()
    assert len(lines) == 14 and lines[1].startswith("brain_mri ") and "2,065" in lines[1]
    assert lines[-1].startswith("STUDYLIB_DATA is not set") and "log-in (all but cervix_types)" in lines[-1]
    tiny_dataset.rename(tmp_path / "isic2017")
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path))
    here = [line.split()[0] for line in catalogue.listing().splitlines()[1:-1] if line.split()[3] == "yes"]
    assert here == ["isic2017"]


def test_no_table_and_incomplete_table(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDYLIB_HOME", str(tmp_path))
    with pytest.raises(DataError, match="set STUDYLIB_HOME to one"):
        catalogue.names()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/datasets.toml").write_text('[mine]\ntitle = "mine"\n')
    with pytest.raises(DataError, match=r"\[mine\] lacks study, images"):
        catalogue.names()


@pytest.mark.skipif(not REAL, reason="STUDYLIB_DATA is not set: no real images to check")
@pytest.mark.parametrize("name", NAMES)
def test_real_sets_have_the_images_that_the_table_says(name, monkeypatch):
    monkeypatch.setenv("STUDYLIB_DATA", REAL)
    if not (Path(REAL) / name).exists():
        pytest.skip(f"{name} is not under STUDYLIB_DATA")
    folder = catalogue.find(name)
    about = catalogue.entry(name)
    with open(folder / "metadata.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == about["images"] and about["group"] in rows[0]
