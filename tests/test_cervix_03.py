"""Photographs of study 3 before any network: counts, what is shown, features of light by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import cells_01, cervix_03


def photographs(reasons=("", "", "large_polyp", "type_3_out_of_sight", "")):
    label = ["not_treatable" if r else "treatable" for r in reasons]
    table = pd.DataFrame({
        "image": [f"images/{i}.png" for i in range(len(label))], "label": label, "reason": reasons,
        "group": list("aabcd")[: len(label)], "mask_file": ["x", "", "x", "x", ""][: len(label)],
    })  # fmt: skip

    class Set:
        name, regions, classes = "cervix", {1: "cervix"}, ["not_treatable", "treatable"]

        def __init__(self):
            self.table = table

        def __len__(self):
            return len(self.table)

    return Set()


def test_what_a_photograph_shows_is_its_reason_or_its_class():
    assert cervix_03.kinds(photographs()).tolist() == [
        "treatable", "treatable", "large_polyp", "type_3_out_of_sight", "treatable"]  # fmt: skip


def test_counts_by_class_and_reason():
    shop = SimpleNamespace(group_of=lambda d: d.table["group"].to_numpy())
    found = cervix_03.by_class(shop, photographs())
    assert found.loc[("treatable", "treatable")].tolist() == [3, 2, 1]
    assert found.loc[("not treatable", "large polyp")].tolist() == [1, 1, 1]
    exact = cells_01.counts(photographs(), "photographs")
    assert exact["counts.images"].value == 5 and exact["counts.not_treatable"].value == 2
    assert exact["counts.treatable"].how.endswith("photographs of treatable")


def test_examples_are_the_first_of_each_by_name():
    rows, titles = cervix_03.examples(photographs(), ("treatable", "not_treatable"), most=6)
    assert titles[0] == "treatable" and rows[0] == 0 and set(rows) == {0, 1, 2, 3}
    assert {"large polyp", "type 3 out of sight"} <= set(titles)


def test_light_features_by_hand():
    flat = np.full((1, 128, 128, 3), 100, np.uint8)
    dark = np.zeros((1, 128, 128, 3), np.uint8)
    stripes = np.zeros((1, 128, 128, 3), np.uint8)
    stripes[:, :, ::2] = 200
    shop = SimpleNamespace(pixels=lambda *_: (np.concatenate([flat, dark, stripes]), ""))
    found = cervix_03.light_features(shop, photographs(("", "", "")))
    np.testing.assert_allclose(found[0], [100 / 255, 0, 0])
    np.testing.assert_allclose(found[1], [0, 1, 0])
    assert found[2, 1] == 0.5 and found[2, 2] > 10  # every second column dark, edges everywhere


def test_cases_are_named_by_rule_and_told_in_words():
    table = pd.DataFrame({"iou_matched": [0.1, 0.5, 0.9, 0.3], "correct": [1.0, 1, 1, 0], "confidence": 0.9,
                          "label": [0, 1, 1, 0], "predicted": [0, 1, 1, 1]})  # fmt: skip
    assert cervix_03.cases(table) == [0, 1, 2, 3]
    assert cervix_03.caption(table.loc[3], ("treatable", "not_treatable")) == "treatable,\nsaid not treatable\nIoU 0.30"
    without = table.assign(iou_matched=np.nan, confidence=[0.6, 0.9, 0.7, 0.5])
    assert cervix_03.cases(without) == [0, 2, 1, 3]
    assert "IoU" not in cervix_03.caption(without.loc[0], ("treatable", "not_treatable"))


@pytest.mark.parametrize("name", ["colour", "light", "colour_and_light"])
def test_forests_say_the_probability_of_the_positive_class(name):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 120, (60, 64, 64, 3), dtype=np.uint8)
    labels = np.arange(60) // 2 % 2
    pixels[labels == 1] += 100  # brighter

    def at(_, size, __):
        return (pixels if size == 64 else pixels.repeat(2, 1).repeat(2, 2)), ""

    table = pd.DataFrame({"image": [f"{i}" for i in range(60)]})
    shop = SimpleNamespace(
        pixels=at, labels=lambda _: (labels, ("treatable", "not_treatable")), seed=0, profile=SimpleNamespace(folds=3),
        group_of=lambda _: np.array([f"w{i // 2}" for i in range(60)]),
    )  # fmt: skip
    sample = type("Set", (), {"table": table, "__len__": lambda self: 60})()
    found = cervix_03.forest(shop, sample)[name]
    assert (found["p"] == found["p_not_treatable"]).all() and found["correct"].mean() > 0.95
