"""Smear cell phantoms: what tells each class, how far neighbours cover a cell, what cues do, what stays the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.data.dataset import load_dataset
from studylib.data.folds import by_group
from studylib.data.phantoms.cell.kinds import KINDS, draw_cell, draw_plain
from studylib.data.phantoms.cell.stain import GREEN, Slide, add_cell, inside
from studylib.data.phantoms.cells import CLASSES, TINT, make_cells
from studylib.metrics.classification import auroc

CUES = ("marker", "outside", "stain")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def plain(folder):
    return make_cells(folder / "plain", slides=12, cells=10)


@pytest.fixture(scope="module")
def cued(folder):
    return {cue: make_cells(folder / cue, slides=20, cells=10, cue=cue, strength=0.9) for cue in CUES}


def table(family) -> pd.DataFrame:
    return pd.read_csv(family / "metadata.csv")


def picture(family, name) -> np.ndarray:
    return np.asarray(Image.open(family / name)).astype(int)


def test_it_is_a_sound_data_set_with_every_class_on_every_slide(plain):
    dataset = load_dataset(plain)
    found = table(plain)
    assert dataset.classes == list(CLASSES) and len(found) == 120
    assert (found.groupby("group")["label"].value_counts() == 2).all()  # ten cells, five classes
    assert (found["width"] == [picture(plain, n).shape[1] for n in found["image"]]).all()
    by_group(dataset, folds=5).check(dataset, near_duplicates=False)


def test_the_nucleus_has_the_share_of_the_cell_that_its_kind_says(plain):
    """Medians of masks within a third of the kind's: 24 cells each, sigma 0.2 to 0.25 of the logarithm."""
    found, shares = table(plain), {}
    for name, some in found.groupby("label"):
        shares[name] = []
        for mask in some["mask"]:
            m = picture(plain, mask)
            shares[name].append((m == 1).sum() / np.isin(m, (1, 2)).sum())
    medians = {name: np.median(v) for name, v in shares.items()}
    for name, kind in KINDS.items():
        assert medians[name] == pytest.approx(kind.ratio[0], rel=0.33)
    assert sorted(medians, key=medians.get) == sorted(KINDS, key=lambda n: KINDS[n].ratio[0])


def test_a_neighbour_covers_as_much_of_the_cell_as_it_was_asked_to(plain):
    found = table(plain)["overlap"]
    for asked in (0.0, 0.2, 0.4, 0.6):
        assert ((found - asked).abs() < 0.05).sum() >= 0.2 * len(found)  # a quarter each; a few cannot be reached
    assert (found == 0).sum() == 30 and found.max() < 0.65


def test_densities_of_overlapping_cells_add_up():
    slide = Slide((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), 0.5, 0.0)
    cells = [draw_cell("parabasal", np.random.default_rng(seed)) for seed in (1, 2)]
    apart = []
    for cell, at in zip(cells, ((50, 50), (70, 55)), strict=True):
        density = np.zeros((110, 120, 3), np.float32)
        add_cell(density, cell, at, slide)
        apart.append(density)
    both = np.zeros((110, 120, 3), np.float32)
    for cell, at in zip(cells, ((50, 50), (70, 55)), strict=True):
        add_cell(both, cell, at, slide)
    np.testing.assert_allclose(both, apart[0] + apart[1], atol=1e-6)


def test_cytoplasm_without_eosin_is_green_and_lies_inside_its_outline():
    from dataclasses import replace

    cell = replace(draw_cell("parabasal", np.random.default_rng(0)), eosin=0.0)
    density = np.zeros((120, 120, 3), np.float32)
    body, nuclei = add_cell(density, cell, (60, 60), Slide((1, 1, 1), (1, 1, 1), 0.5, 0.0))
    assert density[~body].max() == 0 and (nuclei & body).sum() == nuclei.sum()
    cytoplasm = density[body & ~nuclei].sum(0)
    np.testing.assert_allclose(cytoplasm / cytoplasm[0], GREEN / GREEN[0], rtol=0.02)
    assert body.sum() == pytest.approx(cell.body.area, rel=0.05)
    assert inside((120, 120), cell.body, (60, 60)).sum() == body.sum()


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_goes_with_the_class_and_changes_the_picture_only_where_it_lies(cued, folder, cue):
    found = table(cued[cue])
    agree = (found["cue_present"] == (found["label"] == "abnormal")).mean()
    assert agree == pytest.approx(0.9, abs=0.06)
    free = make_cells(folder / f"{cue}_free", slides=20, cells=10, cue=cue, strength=0.9, mode="dissociated")
    other = table(free)
    assert (found["label"] == other["label"]).all() and (found["nucleus_fraction"] == other["nucleus_fraction"]).all()
    assert (other["cue_present"] == (other["label"] == "abnormal")).mean() == pytest.approx(0.5, abs=0.1)
    row = np.flatnonzero((found["cue_present"] == 1) & (other["cue_present"] == 0))[0]
    mark = picture(cued[cue], found["cue_mask"][row]) == 1
    change = np.abs(picture(cued[cue], found["image"][row]) - picture(free, other["image"][row])).max(-1)
    assert mark.any() and change[mark].max() > 20
    if cue == "stain":
        assert mark.all() and TINT[2] > TINT[0]
    else:
        near = np.pad(mark, 6)  # focus spreads a clump by a few pixels
        wide = np.lib.stride_tricks.sliding_window_view(near, (13, 13)).any((2, 3))
        assert change[~wide].max() == 0
        assert mark.mean() < 0.2


def test_where_only_a_cue_tells_the_nucleus_does_not(cued):
    found = table(cued["marker"])
    crossed = pd.crosstab(found["label"], found["trait_present"])
    assert (crossed / crossed.to_numpy().sum()).to_numpy() == pytest.approx(np.full((2, 2), 0.25), abs=0.06)


def test_of_either_cue_one_suffices(folder):
    found = table(make_cells(folder / "either", slides=30, cells=10, cue="either"))
    kinds = found.loc[found["label"] == "abnormal"].value_counts(["trait_present", "cue_present"])
    assert kinds.to_dict() == {(1, 0): 50, (0, 1): 50, (1, 1): 50}
    assert found.loc[found["label"] == "normal", ["trait_present", "cue_present"]].to_numpy().sum() == 0


@pytest.mark.parametrize(("trait", "measured"), [("size", "nucleus"), ("ratio", "ratio")])
def test_a_trait_alone_tells_the_class(trait, measured):
    rng = np.random.default_rng(0)
    label = np.arange(400) % 2
    cells = [draw_plain(bool(y), trait, rng) for y in label]
    values = {"nucleus": [c.nucleus.area for c in cells], "body": [c.body.area for c in cells],
              "ratio": [c.ratio for c in cells]}  # fmt: skip
    told = {name: auroc(label, np.array(v)) for name, v in values.items()}
    assert told[measured] > 0.93
    if trait == "ratio":
        assert told["ratio"] == 1.0 and max(told["nucleus"], 1 - told["body"]) < 0.9
    else:
        assert abs(told["body"] - 0.5) < 0.08
    assert {c.chromatin[1] for c in cells} == {cells[0].chromatin[1]}


def test_chromatin_alone_is_coarser_by_its_amplitude():
    cells = [draw_plain(True, "chromatin", np.random.default_rng(3), amplitude=a) for a in (0.0, 0.5, 1.0)]
    assert [c.chromatin[1] for c in cells] == pytest.approx([0.14, 0.34, 0.54])
    assert len({c.body.radius for c in cells}) == 1 and len({c.chromatin[0] for c in cells}) == 1


def test_the_same_arguments_give_the_same_bytes_by_any_number_of_processes(folder):
    first = make_cells(folder / "one", slides=4, cells=3, seed=5)
    second = make_cells(folder / "two", slides=4, cells=3, seed=5, processes=2)
    names = sorted(p.relative_to(first) for p in first.rglob("*.png"))
    assert len(names) == 24 and all((first / n).read_bytes() == (second / n).read_bytes() for n in names)
    assert (first / "metadata.csv").read_bytes() == (second / "metadata.csv").read_bytes()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cue": "markers"}, "nearest: 'marker'"),
        ({"trait": "chromatine"}, "nearest: 'chromatin'"),
        ({"trait": "none"}, "nothing in the pictures"),
        ({"overlaps": (0.9,)}, "0 to 0.8"),
        ({"overlaps": ()}, "one or more"),
        ({"amplitudes": (3,)}, "0 to 2"),
        ({"scale": 9}, "0.3 to 4"),
        ({"slides": 2}, "at least 3"),
        ({"cue": "marker", "strength": 1.2}, "outside 0..1"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_and_leave_nothing(tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        make_cells(tmp_path / "x", **({"slides": 3, "cells": 2} | wrong))
    assert not list(tmp_path.iterdir())
