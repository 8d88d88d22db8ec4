"""A card a study: its claim, what holds, its figure, the same figures in every run, where each run came from."""

from __future__ import annotations

import re

from test_index_answers import plain
from test_site import PIXEL, add_report, build_text, reports  # noqa: F401 - a fixture

from studylib.study import index_cards


def card(text: str, study: str = "07") -> str:
    return re.search(rf'<article class="card" aria-labelledby="study-{study}">.*?</article>', text, re.S)[0]


def test_it_says_claim_counts_and_origin(reports):  # noqa: F811
    add_report(reports)
    text = plain(card(build_text(reports)))
    assert "A demo &amp; its &lt;title&gt;" in text and "Claimed Maps help." in text
    assert "What holds Of 4 statements: 2 reproduced, 1 partly, 1 not testable." in text
    assert "Made by make reproduce STUDY=07 DATA=phantom PROFILE=quick SEED=3" in text
    assert "commit 0123456789 with changes that were not committed; the notebook took 3 min" in text


def test_headline_figures_stand_side_by_side(reports):  # noqa: F811
    with (reports.parent / "notebooks" / "07_demo_study.toml").open("a") as settings:
        settings.write('[study.headline]\n"iou.cam" = "Overlap <of> the map"\n"nowhere.measured" = "Not shown"\n')
    add_report(reports)
    folder = add_report(reports, "real-standard")
    metrics = folder / "metrics.json"
    metrics.write_text(metrics.read_text().replace("iou.cam", "iou.other"))
    text = plain(card(build_text(reports)))
    assert "Measured On real images, profile standard On phantoms, profile quick" in text
    assert "Overlap &lt;of&gt; the map not in this run 0.314 [0.25, 0.4], n = 1,470 images, 47 patients" in text
    assert "Not shown" not in text  # no run has it
    assert "Primary: iou.other 0.314" in text  # always, also without words for it


def test_figure_carries_its_caption(reports):  # noqa: F811
    folder = add_report(reports)
    assert "<figcaption>IoU &lt; 1. Redraw: <code>make reproduce</code>.</figcaption>" in build_text(reports)
    (folder / "figures" / "headline.txt").unlink()
    assert "<figcaption>Headline figure of study 07 on phantoms, profile quick.</figcaption>" in build_text(reports)


def test_large_figures_are_linked(reports, monkeypatch):  # noqa: F811
    folder = add_report(reports)
    assert "data:image/png;base64," in build_text(reports)
    monkeypatch.setattr(index_cards, "EMBED_BYTES", len(PIXEL) - 1)
    text = build_text(reports)
    assert "base64" not in text and f'src="phantom-quick/{folder.name}/figures/headline.png"' in text


def test_an_undefined_interval_is_told():
    entry = {"value": 0.5, "low": None, "high": None, "n": 3, "groups": 1, "unit": "woman", "how": "x"}
    assert index_cards.estimate_text(entry) == "0.5 [no interval], n = 3 images, 1 woman"
