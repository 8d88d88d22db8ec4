"""The page that is kept: one page, all that is seen, made in memory."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from PIL import Image
from test_look import made, plain_card, square

from studylib.app import sheet
from studylib.app.look import RESEARCH, Doubt
from studylib.app.sheet import exported, sheet_of

WHEN = datetime(2026, 3, 1, 9, 30)


def texts(fig) -> str:
    """Every text of a figure, those of its axes too."""
    found = [text.get_text() for text in fig.texts]
    for ax in fig.axes:
        found += [text.get_text() for text in ax.texts] + [ax.get_title(loc="left"), ax.get_xlabel()]
        found += [label.get_text() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    return "\n".join(found).replace("\n", " ")


@pytest.fixture
def look():
    doubts = (Doubt("blurred", "less sharp than 99 %"), Doubt("unlike", "far from the training pictures"))
    return replace(made(mask=square(2, 2).astype(bool), truth="c"), doubts=doubts)


def test_all_that_is_seen_stands_on_the_page(look):
    card = plain_card()
    said = texts(sheet_of(look, card, threshold=0.3, floor="centre", when=WHEN))
    wanted = [
        RESEARCH, "a b, 70 %", "truth: c", "a.png", "01 March 2026, 09:30", "70.0 % (90.0)", "Study: 07",
        "above 30 % of its maximum", "White outline: the true one", "CAM, random weights", "Floor: centred blob",
        "In words", "Warnings (2)", "Blurred: less sharp than 99 %", "Unlike the training pictures: far",
        "Against the true outline",
    ]  # fmt: skip
    assert [text for text in wanted if text not in said] == []
    assert "0.33" in said  # Grad-CAM's IoU, 8 / 24


def test_without_truth_or_doubts_it_says_so(look):
    said = texts(sheet_of(made(), plain_card(), threshold=0.5, when=WHEN))
    assert "Against the true outline" not in said and "truth:" not in said
    assert "None. That is no proof that the network is right." in said


def test_a_page_is_a4_and_grows_rather_than_lose_a_line(look):
    short = sheet_of(look, plain_card(), threshold=0.5)
    assert tuple(short.get_size_inches()) == (sheet.WIDTH, sheet.HEIGHT)
    rows = tuple((f"what {i}", "a long value " * 20) for i in range(60))
    long = sheet_of(look, replace(plain_card(), rows=rows), threshold=0.5)
    lowest = min(text.get_position()[1] for text in long.texts)
    assert long.get_size_inches()[1] > sheet.HEIGHT and lowest > 0 and "what 59" in texts(long)


def test_lines_of_text_stay_on_the_page(look):
    """Measured with the renderer: the widest letters of the font do not run out at the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    wide = replace(look, doubts=(Doubt("gate", "MWMW WWMM " * 40),))
    fig = sheet_of(wide, replace(plain_card(), rows=(("ordinary", "the quick brown fox, 0.75 [0.7, 0.8] " * 12),)),
                   threshold=0.5)  # fmt: skip
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    page = fig.bbox.width
    ordinary = [t.get_window_extent(canvas.get_renderer()).x1 for t in fig.texts if "fox" in t.get_text()]
    assert max(ordinary) < page * (1 - 0.5 * sheet.MARGIN / sheet.WIDTH)


@pytest.mark.parametrize("kind", ["pdf", "png"])
def test_one_page_of_the_kind_that_was_asked_for_and_no_file(look, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = exported(kind, look, plain_card(), threshold=0.5, when=WHEN)
    assert list(tmp_path.iterdir()) == []
    if kind == "png":
        width, height = Image.open(io.BytesIO(content)).size
        assert width == 1240 and height == pytest.approx(1753, abs=2)
        return
    assert content.startswith(b"%PDF") and len(re.findall(rb"/Type /Page\b", content)) == 1
    assert b"studylib" in content and b"/Author" not in content
    packed = re.findall(rb"stream\r?\n(x.*?)endstream", content, re.S)
    streams = [zlib.decompressobj().decompress(part) for part in packed]
    assert any(b"Tj" in s or b"TJ" in s for s in streams)  # text is text: it can be searched


def test_another_kind_is_refused(look):
    with pytest.raises(ValueError, match="'pdf' or 'png', not 'svg'"):
        exported("svg", look, plain_card(), threshold=0.5)


def test_many_maps_fill_rows_and_the_measures_find_a_place():
    for count in (1, 3, 4, 5):
        maps = {
            m: square(2, 2) * (i + 1) for i, m in enumerate(("cam", "gradcam", "layercam", "hirescam", "crm")[:count])
        }
        fig = sheet_of(made(maps, square(2, 2).astype(bool)), plain_card(), threshold=0.5)
        boxes = [ax.get_position() for ax in fig.axes]
        assert "Against the true outline" in texts(fig)
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                assert a.x1 <= b.x0 + 1e-6 or b.x1 <= a.x0 + 1e-6 or a.y1 <= b.y0 + 1e-6 or b.y1 <= a.y0 + 1e-6
        assert np.isfinite([box.height for box in boxes]).all()
