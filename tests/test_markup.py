"""Pieces of the page: every text from outside is escaped, numbers are those of the look, pictures have words."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
from test_look import made, plain_card, square

from studylib.app import markup
from studylib.app.look import RESEARCH, Doubt, measures
from studylib.app.panels import panels_of

EVIL = "<script>alert(1)</script>\" onload='x"


class Reader(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.attributes = set(), set()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def visible(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip().replace("\u00a0", " ")


def test_nothing_that_is_handed_in_becomes_markup():
    look = made(truth=EVIL)
    look = replace(look, found=replace(look.found, classes=(EVIL, "c"), described=EVIL))
    card = replace(plain_card(), rows=((EVIL, EVIL),), gates=pd.DataFrame(
        [(EVIL, EVIL, EVIL, "fail")], columns=["gate", "rule", "figure", "outcome"]))  # fmt: skip
    table = measures(made(mask=square(2, 2).astype(bool)), 0.5).rename(index={"CAM": EVIL})
    pages = [markup.prediction(look), markup.probabilities(look), markup.words(look), markup.card(card),
             markup.gates(card.gates), markup.doubts([Doubt("gate", EVIL)]), markup.measured(table),
             markup.gallery([replace(panels_of(made(), 0.5)[1], title=EVIL, text=EVIL, note=EVIL)])]  # fmt: skip
    for page in pages:
        assert "<script" not in page and "&lt;script&gt;" in page
        reader = Reader()
        reader.feed(page)
        assert "script" not in reader.tags and "onload" not in reader.attributes  # no attribute was broken out of


def test_bars_are_as_long_as_the_numbers_beside_them():
    page = markup.probabilities(made())
    assert re.findall(r"width:([\d.]+)%", page) == ["70.0", "30.0"]
    assert visible(page).endswith("a b 70.0 % 90.0 % c 30.0 % 10.0 %")
    assert page.count('aria-hidden="true"') == 3 and "<caption" in page  # a bar is no news to who hears the number
    many = made()
    p = np.full(12, 1 / 12)
    many = replace(many, found=replace(many.found, classes=tuple(f"c{i}" for i in range(12)), p=p, raw=p))
    assert "and 3 classes less likely" in markup.probabilities(many)


def test_right_and_wrong_are_words_not_colours():
    assert "(\u2713 right)" in markup.prediction(made(truth="a_b"))
    assert "(\u2717 wrong)" in markup.prediction(made(truth="c"))
    assert "Truth" not in markup.prediction(made())


def test_doubts_are_counted_and_none_is_no_praise():
    two = markup.doubts([Doubt("blurred", "less sharp"), Doubt("unlike", "far away")])
    assert visible(two).startswith("2 warnings Blurred: less sharp") and 'role="region"' in two
    assert "no proof that the network is right" in markup.doubts([])


def test_every_picture_has_words_and_every_map_a_scale():
    shown = panels_of(made(), 0.5)
    page = markup.gallery(shown)
    assert re.findall(r'alt="([^"]+)"', page) == [markup.escape(panel.text) for panel in shown]
    assert page.count('class="ramp"') == len(shown) - 1  # the picture itself has none
    assert RESEARCH in markup.notice() and "https" not in page


def test_the_best_of_each_column_is_marked_and_undefined_is_said():
    table = pd.DataFrame({"iou": [0.1, 0.4, np.nan]}, index=["CAM", "floor", "random"])
    page = markup.measured(table)
    assert re.findall(r'class="best">([^<]+)<', page) == ["0.40"] and "undefined" in page
