"""Datasheets of phantoms: counts by hand, what a family must be told, and the committed pages are those of the code."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.__main__ import is_expected, main
from studylib.study import datasheets
from studylib.study.datasheets import DatasheetError, families, sets_of, sheet, told
from studylib.study.material import FAMILIES
from studylib.study.root import runs_folder
from studylib.study.settings import load_settings

ROOT = Path(__file__).resolve().parents[1]
STUDY_OF = families(ROOT)


def committed(family: str) -> str:
    return (ROOT / "data" / "phantoms" / f"{family}.md").read_text(encoding="utf-8")


def test_every_family_has_a_page_and_no_page_is_left_over():
    assert list(STUDY_OF) == list(FAMILIES)
    assert sorted(path.stem for path in (ROOT / "data" / "phantoms").glob("*.md")) == sorted(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_committed_page_is_of_the_sets_that_are_drawn_now(family):
    """Names of sets hold a digest of the generator's code and arguments: another one, and the page is stale."""
    text, words = committed(family), told()[family]
    for variant, (name, _) in sets_of(STUDY_OF[family]).items():
        assert f"`{name.rsplit('-', 1)[1]}` |" in text, f"{variant}: run `python -m studylib datasheets`"
    for key in datasheets.WANTED:
        assert words[key] in text, f"{key}: run `python -m studylib datasheets`"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_committed_page_is_counted_on_them(family):
    """Where the sets lie drawn already, after `make reproduce`, the whole page is compared."""
    there = runs_folder(ROOT) / "phantoms"
    lacking = [name for name, _ in sets_of(STUDY_OF[family]).values() if not (there / name / "metadata.csv").is_file()]
    if lacking:
        pytest.skip(f"{lacking[0]} is not drawn; `make reproduce STUDY={STUDY_OF[family].study}` draws it")
    assert sheet(family, STUDY_OF[family], runs_folder(ROOT)) == committed(family), (
        "run `python -m studylib datasheets`"
    )


@pytest.fixture
def small(tmp_path):
    """Study 01 with sets of a few cells. -> (settings, where they are drawn)"""
    settings = load_settings("01", ROOT)
    quick = settings.profile("quick")
    marker = {"slides": 4, "cells": 5, "scale": 0.5, "cue": "marker", "strength": 1.0}
    made = replace(quick, phantom={"slides": 4, "cells": 5, "scale": 0.5}, variants={"marker": marker})
    return replace(settings, profiles={"quick": made}), tmp_path / "runs"


def table_of(runs: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(runs / "phantoms" / name / "metadata.csv", dtype=str, keep_default_na=False)


def test_a_page_is_counted_on_its_sets(small):
    settings, runs = small
    text = sheet("cells", settings, runs)
    names = {variant: name for variant, (name, _) in sets_of(settings).items()}
    table = table_of(runs, names["plain"])
    classes = ", ".join(f"{label} 4" for label in dict.fromkeys(re.findall(r"(\w+) 4", text)))
    assert f"| plain | nucleus and cytoplasm | 20 | 4 slides | {classes} |" in text and classes.count(",") == 4
    widths = table["width"].astype(int)
    assert f"| `width` | of the picture, pixels | {widths.min()} to {widths.max()} |" in text
    assert "| quick, marker | slides = 4, cells = 5, scale = 0.5, cue = marker, strength = 1.0 |" in text
    (cued,) = re.findall(r"\| marker, marker \| (.*) \|", text)
    size = table_of(runs, names["marker"]).groupby("label").size()
    shares = {"abnormal": 100, "normal": 0}  # strength 1: always with the class
    assert sorted(cued.split("; ")) == [f"{label} {share} % of {size[label]}" for label, share in shares.items()]
    assert f"### The plain set, `{names['plain']}`" in text and "tells plain cells" in text
    assert "{" not in text


def test_the_page_follows_what_is_asked_for(small):
    settings, runs = small
    fewer = replace(settings.profile("quick"), phantom={"slides": 3, "cells": 5, "scale": 0.5}, variants={})
    before, after = (sheet("cells", s, runs) for s in (settings, replace(settings, profiles={"quick": fewer})))
    assert "| 20 | 4 slides |" in before and "| 15 | 3 slides |" in after and "planted cues go" not in after


def test_outlined_shares_by_hand(tmp_path):
    (tmp_path / "masks").mkdir()
    for i, filled in enumerate((0, 2, 4, 6)):  # rows of ten
        mask = np.zeros((10, 10), np.uint8)
        mask[:filled] = 1
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i}.png")
    table = pd.DataFrame({"mask": [*(f"masks/{i}.png" for i in range(4)), ""]})
    found = datasheets.shape(table, tmp_path, {"regions": {"1": "lesion", "2": "hair"}})
    assert found.loc["lesion"].tolist() == ["3 of 5", "40.0 % (30.0 to 50.0)"]
    assert found.loc["hair"].tolist() == ["0 of 5", ""]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (["a", "b", "a"], "a, b"),
        (["1", "2.5", "", "4"], "1 to 4; empty in 1"),
        (["0", "1", "0"], "0, 1"),
        (["", ""], "empty in this set"),
        ([f"p{i}" for i in range(20)], "20 different"),
        (["red;blue", "blue"], "blue, red"),
    ],
)
def test_what_a_column_holds(column, said):
    assert datasheets.values(pd.Series(column)) == said


def test_what_nothing_tells_is_an_error_that_names_it(small, tmp_path):
    settings, runs = small
    words = told()
    words["cells"] = words["cells"] | {"columns": {}}
    with pytest.raises(DatasheetError, match="nothing says what column 'session' of cells holds") as error:
        sheet("cells", settings, runs, words)
    assert is_expected(error.value) and len(str(error.value).splitlines()) > 3
    path = tmp_path / "datasheets.toml"
    path.write_text(datasheets.TOLD.read_text(encoding="utf-8").replace("\n[skin]\nwhy =", "\n[skin]\nwhat ="))
    with pytest.raises(DatasheetError, match=r"\[skin\]: why is missing"):
        told(path)


def test_the_command_writes_them_all_whole(small, tmp_path, monkeypatch, capsys):
    settings, runs = small
    monkeypatch.setattr(datasheets, "families", lambda _root: {"cells": settings})
    for folder in ("notebooks", "data/claims"):
        (tmp_path / "home" / folder).mkdir(parents=True)
    monkeypatch.setenv("STUDYLIB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STUDYLIB_RUNS", str(runs))
    assert main(["datasheets"]) == 0
    assert "datasheet data/phantoms/cells.md: 2 sets counted" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "home" / "data" / "phantoms").iterdir()] == ["cells.md"]
