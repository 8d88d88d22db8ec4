"""The review sheet: blinded, the same for a seed, whole or not at all, and nothing of a reader's is lost."""

from __future__ import annotations

import errno
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from studylib.study import review_sheet
from studylib.study.misplacement import VERDICTS
from studylib.study.record import ReportError
from studylib.study.review_files import ReviewError, read_key
from studylib.study.review_sheet import OUTLINE, Item, overlay, write_review

QUESTION = "Does the colour lie on what decides whether this cervix can be treated?"


def bump(y: float, x: float, width: float = 8.0, shape=(48, 64)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))


def make_items(n: int = 9, seed: int = 0) -> list[Item]:
    """Photographs of noise; cam a bump, crm its square."""
    rng, items = np.random.default_rng(seed), []
    for i in range(n):
        found = bump(*rng.uniform(10, 38, 2))
        photograph = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        facts = {"Class": "not treatable" if i % 2 else "treatable <type 1>"}
        items.append(Item(f"woman{i:02d}_cam.png", photograph, {"cam": found, "crm": found**2}, f"woman{i:02d}", facts))
    return items


def write(folder: Path, items=None, seed=0, **options) -> Path:
    options = {"title": "Where do the maps lie?", "question": QUESTION, "side": 96} | options
    return write_review(folder, make_items() if items is None else items, seed=seed, **options)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Page(HTMLParser):
    """Tags with their attributes, and all ids."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def sheet(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("sheet") / "review").parent


def test_what_is_in_the_folder_and_what_is_not(sheet):
    images = [f"image{i:03d}" for i in range(1, 10)]
    expected = {f"{name}.html" for name in images} | {"index.html", "verdicts.csv"}
    expected |= {f"images/{name}{side}.png" for name in images for side in ("", "_a", "_b")}
    assert set(contents(sheet)) == expected
    assert (sheet.parent / "review_key.csv").is_file() and not list(sheet.parent.glob(".*"))


def test_verdicts_are_prepared_one_row_an_image_and_side(sheet):
    table = pd.read_csv(sheet / "verdicts.csv", dtype=str, keep_default_na=False)
    key = read_key(sheet.parent / "review_key.csv")
    assert list(table) == ["image", "side", "verdict", "reason", "comment", "sheet"]
    assert table[["image", "side"]].values.tolist() == [[f"image{i:03d}", s] for i in range(1, 10) for s in "AB"]
    assert (table[["verdict", "reason", "comment"]] == "").all().all() and set(table["sheet"]) == {key["sheet"][0]}
    assert re.fullmatch(
        r"s[0-9a-f]{11}", key["sheet"][0]
    )  # begins with a letter, so that no spreadsheet makes a number of it


def test_no_page_and_no_file_name_gives_the_method_or_the_woman_away(sheet):
    hidden = re.compile(r"(?<![a-z])(cam|crm|woman\d*|gradcam)(?![a-z])", re.I)
    for path in sheet.rglob("*"):
        assert not hidden.search(path.name)
        if path.suffix in (".html", ".csv"):
            assert not hidden.search(path.read_text(encoding="utf-8")), path.name
        if path.suffix == ".png":  # no text inside a picture's file either
            kinds = re.findall(rb"[a-zA-Z]{4}", path.read_bytes()[:64])
            assert path.read_bytes()[12:16] == b"IHDR" and b"tEXt" not in kinds and b"iTXt" not in kinds


def test_order_is_random_and_balanced(sheet):
    key = read_key(sheet.parent / "review_key.csv")
    at_a = key[key["side"] == "A"]
    assert sorted(at_a["method"].value_counts().tolist()) == [4, 5]  # of nine
    assert at_a["name"].tolist() != sorted(at_a["name"]) and set(at_a["name"]) == {item.name for item in make_items()}
    runs = (at_a["method"].to_numpy()[1:] != at_a["method"].to_numpy()[:-1]).sum()
    assert 1 < runs < 8  # neither two blocks nor every other one


def test_the_key_tells_the_truth(sheet):
    key, items = read_key(sheet.parent / "review_key.csv"), {item.name: item for item in make_items()}
    for row in key.itertuples():
        shown = cv2.imread(str(sheet / "images" / f"{row.image}_{row.side.lower()}.png"))[:, :, ::-1]
        item = items[row.name]
        assert (shown == overlay(item.photograph, item.maps[row.method], side=96)).all() and row.group == item.group


def test_the_same_seed_the_same_bytes_another_seed_another_order(sheet, tmp_path):
    again = write(tmp_path / "review").parent
    assert contents(again) == contents(sheet)
    assert (tmp_path / "review_key.csv").read_bytes() == (sheet.parent / "review_key.csv").read_bytes()
    write(tmp_path / "other", seed=1)
    first, second = read_key(tmp_path / "review_key.csv"), read_key(tmp_path / "other_key.csv")
    assert first["sheet"][0] != second["sheet"][0] and first["name"].tolist() != second["name"].tolist()


def test_pages_are_linked_named_and_ask_nothing_of_the_network(sheet):
    for number in range(10):
        path = sheet / (f"image{number:03d}.html" if number else "index.html")
        page = Page(path.read_text(encoding="utf-8"))
        for attributes in page.all("a") + page.all("img") + page.all("link"):
            target = attributes.get("href") or attributes.get("src")
            if not target.startswith(("#", "data:")):
                assert (sheet / target).is_file(), target
        assert not page.all("iframe") and all("src" not in script for script in page.all("script"))
        assert "default-src 'none'" in page.all("meta")[3]["content"]
        ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
        assert len(ids) == len(set(ids))
        if number:
            steps = [a["href"] for a in page.all("a") if a.get("rel") in ("prev", "next")]
            before = f"image{number - 1:03d}.html" if number > 1 else "index.html"
            after = f"image{number + 1:03d}.html" if number < 9 else "index.html"
            assert steps == [before, after] * 2
            alts = [img["alt"] for img in page.all("img")]
            assert alts == [
                f"Photograph {number}",
                f"Map A over photograph {number}",
                f"Map B over photograph {number}",
            ]
            radios = [i["value"] for i in page.all("input") if i["type"] == "radio"]
            assert radios == list(VERDICTS) * 2


def test_index_defines_every_verdict(sheet):
    text = (sheet / "index.html").read_text(encoding="utf-8")
    assert all(meaning in text for meaning in VERDICTS.values()) and QUESTION in text
    assert all(verdict.replace("_", " ") in text for verdict in VERDICTS)


def test_facts_and_reasons_are_shown_as_text(tmp_path):
    folder = write(tmp_path / "r", make_items(2), reasons=('Large "polyp"', "wall > close")).parent
    text = "".join((folder / f"image00{i}.html").read_text(encoding="utf-8") for i in (1, 2))
    assert "treatable &lt;type 1&gt;" in text and "<type 1>" not in text
    options = [o["value"] for o in Page(text).all("option")]
    assert options == ['Large "polyp"', "wall > close"] * 2


def test_overlay_by_hand():
    photograph = np.full((40, 40), 100, np.uint8)
    found = np.zeros((40, 40))
    found[10:30, 10:30] = 0.5
    found[15:25, 15:25] = 1.0
    shown = overlay(photograph, found, 0.2, 40).astype(int)
    assert (shown[2, 2] == 100).all()  # below the cut the photograph stays as it is
    # magma ends at (252, 253, 191): 0.45 * 100 + 0.55 * 252 = 183.6
    assert shown[20, 20].tolist() == pytest.approx([183.6, 184.2, 150.1], abs=2)
    assert (np.abs(shown - OUTLINE).sum(2) < 30).any(0).nonzero()[0].min() in (
        9,
        10,
    )  # the outline, where the region begins
    assert (overlay(photograph, 1e-300 * found, 0.2, 40) == overlay(photograph, found, 0.2, 40)).all()
    assert (overlay(photograph, found - 0.4, 0.2, 40)[12, 12] == 100).all()  # 0.1 of 0.6: below the cut
    assert overlay(np.zeros((30, 60), np.uint8), np.eye(30, 60), 0.2, 120).shape == (60, 120, 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"maps": {"cam": bump(9, 9)}}, "has maps of cam, the first of cam, crm"),
        ({"maps": {"cam": bump(9, 9), "crm": np.zeros((48, 64))}}, "crm: flat map; leave the photograph out"),
        ({"maps": {"cam": bump(9, 9), "crm": np.full((48, 64), np.nan)}}, "crm: NaN map; leave the photograph out"),
        (
            {"maps": {"cam": bump(9, 9), "crm": np.ones((9, 9))}},
            r"the map by crm is \(9, 9\), its photograph \(48, 64\)",
        ),
        ({"photograph": np.zeros((48, 64, 3))}, r"the photograph is float64 \(48, 64, 3\); expected uint8"),
        ({"name": "woman00_cam.png"}, "woman00_cam.png stands on the sheet twice"),
        ({"facts": {"Map": "CRM, above 20 %"}}, "a fact of .* names the method 'crm', which the reader must not see"),
    ],
)
def test_items_that_cannot_be_shown(tmp_path, change, said):
    items = make_items(3)
    items[1] = Item(**({"name": items[1].name, "photograph": items[1].photograph, "maps": items[1].maps} | change))
    with pytest.raises(ReviewError, match=said):
        write(tmp_path / "r", items)
    assert not list(tmp_path.iterdir())


def test_arguments_that_give_the_order_away(tmp_path):
    for options, said in (
        ({"title": "CAM or CRM?"}, "the title names the method 'cam'"),
        ({"question": "Is the cam right?"}, "the question names the method 'cam'"),
        ({"reasons": ("camera", "crm")}, "a reason names the method 'crm'"),
        ({"key": tmp_path / "r" / "key.csv"}, r"the key key.csv would lie in r/, which the reader gets"),
    ):
        with pytest.raises(ReviewError, match=said):
            write(tmp_path / "r", **options)
    with pytest.raises(ReviewError, match="no photograph"):
        write(tmp_path / "r", [])
    three = [Item("a", np.zeros((48, 64), np.uint8), {m: bump(9, 9) for m in ("x", "y", "z")})]
    with pytest.raises(ReviewError, match="a has maps of x, y, z; a sheet compares two methods"):
        write(tmp_path / "r", three)
    assert not list(tmp_path.iterdir())


@pytest.mark.fault
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    real, calls = review_sheet.write_png, []

    def full(path, image):
        calls.append(path)
        if len(calls) == 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, image)

    monkeypatch.setattr(review_sheet, "write_png", full)
    with pytest.raises(ReportError, match="the disk is full"):
        write(tmp_path / "r")
    assert len(calls) == 8 and not list(tmp_path.iterdir())


@pytest.mark.fault
def test_a_key_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    real = review_sheet.write_rows

    def full(path, columns, rows):
        if "key" in path.name:
            path.write_text("half a key")
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, columns, rows)

    monkeypatch.setattr(review_sheet, "write_rows", full)
    with pytest.raises(ReportError, match="the disk is full"):
        write(tmp_path / "r")
    assert not list(tmp_path.iterdir())


def test_a_sheet_is_written_again_but_verdicts_are_never_lost(tmp_path):
    folder = write(tmp_path / "r").parent
    before = contents(folder)
    write(tmp_path / "r")
    assert contents(folder) == before
    verdicts = folder / "verdicts.csv"
    verdicts.write_text(verdicts.read_text().replace("image003,B,", "image003,B,meaningful"))
    with pytest.raises(ReviewError, match=r"r/verdicts.csv holds verdicts; move it away"):
        write(tmp_path / "r")
    assert "image003,B,meaningful" in verdicts.read_text()


def test_neither_other_files_nor_the_key_of_another_sheet_are_lost(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "precious.png").write_bytes(b"1")
    with pytest.raises(ReviewError, match="data is there and is no review sheet; choose another folder"):
        write(tmp_path / "data")
    write(tmp_path / "r")
    key, before = (tmp_path / "r_key.csv").read_bytes(), contents(tmp_path / "r")
    with pytest.raises(ReviewError, match=r"r_key.csv opens the sheet 's[0-9a-f]{11}', which a reader may hold"):
        write(tmp_path / "r", seed=5)
    assert (tmp_path / "r_key.csv").read_bytes() == key and contents(tmp_path / "r") == before
    assert write(tmp_path / "r", seed=5, key=tmp_path / "second.csv").is_file()
    assert not list(tmp_path.glob(".*"))
