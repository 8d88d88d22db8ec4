"""Placement of study 3's maps by rule, and the sheet for an expert, on small pyramids."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_heads_03 import WIDTH
from test_identities_03 import looked

from studylib.study import placed_03
from studylib.study.heads_03 import BEST, Head
from studylib.study.review import read_review


def ready(n=8):
    """Random images, all named right, with heads on P3+P6+P7 and on P6."""
    seen, head = looked(n=n)
    object.__setattr__(seen.of, "labels", head.logits(seen.of.means).argmax(1))
    rng = np.random.default_rng(1)
    row = rng.normal(size=WIDTH)
    return seen, {BEST: head, ("P6",): Head(("P6",), np.stack([-row, row]), np.zeros(2))}


def test_the_rule_judges_every_map_of_images_named_right():
    seen, heads = ready()
    table = placed_03.judged([seen], [heads])
    assert set(table["method"]) == {"cam", "crm", "crm_p6", "centre"} and len(table) == 4 * 8
    wrong = seen.of.labels.copy()
    wrong[0] = 1 - wrong[0]
    object.__setattr__(seen.of, "labels", wrong)
    fewer = placed_03.judged([seen], [heads])
    assert len(fewer) == 4 * 7 and "0.png" not in set(fewer["image"])
    found = placed_03.rates(table)
    crm = table[table["method"] == "crm"]
    assert found["placement.crm.misplaced"].value == pytest.approx((crm["verdict"] != "meaningful").mean())
    pair = found["placement.cam_minus_crm.misplaced"].value
    assert pair == pytest.approx(found["placement.cam.misplaced"].value - found["placement.crm.misplaced"].value)
    assert placed_03.counted(table).loc["crm", "misplaced"] == (crm["verdict"] != "meaningful").sum()


def test_a_set_without_outlines_is_said_not_judged():
    seen, heads = ready()
    bare = type(seen)(seen.of, seen.rows, seen.pixels, np.zeros_like(seen.masks))
    assert placed_03.judged([bare], [heads]).empty and placed_03.rates(pd.DataFrame()) == {}
    assert "no outlines" in placed_03.counted(pd.DataFrame()).loc[0, "why"]


def test_the_sheet_is_written_blinded_and_can_be_read_back(tmp_path, capsys):
    seen, heads = ready()

    @contextmanager
    def apart(name):
        (tmp_path / name).mkdir()
        yield tmp_path / name

    study = SimpleNamespace(
        apart=apart, seed=0, dataset=lambda: None,
        workshop=SimpleNamespace(labels=lambda _: (None, ("treatable", "not_treatable"))),
    )  # fmt: skip
    placed_03.review_sheet(study, seen, heads[BEST])
    assert "a review sheet of" in capsys.readouterr().out
    sheet = tmp_path / "review" / "sheet"
    text = "".join(page.read_text() for page in sheet.glob("*.html"))
    assert "CRM" not in text and "CAM" not in text
    verdicts = pd.read_csv(sheet / "verdicts.csv", dtype=str).assign(verdict="meaningful")
    verdicts.to_csv(tmp_path / "said.csv", index=False)
    back = read_review([tmp_path / "said.csv"], tmp_path / "review" / "sheet_key.csv")
    assert set(back.table["method"]) == {"CAM", "CRM"} and back.counts("said")["misplaced"].sum() == 0
