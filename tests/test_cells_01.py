"""What study 1 reads off its cells before any network, on phantoms drawn for the test."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from studylib.data.dataset import load_dataset
from studylib.data.phantoms.cells import make_cells
from studylib.data.transforms import prepare, prepare_masks
from studylib.study import cells_01


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    dataset = load_dataset(make_cells(tmp_path_factory.mktemp("cells") / "made", slides=9, cells=10))
    return SimpleNamespace(
        dataset=lambda _="plain": dataset,
        pixels=lambda d, size, crop: (prepare(d, size, crop, 3), ""),
        regions=prepare_masks,
        labels=lambda d: (d.labels(), tuple(d.classes)),
        group_of=lambda d: d.groups(),
        settings=SimpleNamespace(group="group"),
        profile=SimpleNamespace(folds=3),
        seed=0,
    )


def test_classes_are_counted_with_their_sizes(workshop):
    dataset = workshop.dataset()
    table = cells_01.by_class(workshop, dataset)
    assert table["cells"].tolist() == [18] * 5 and (table["groups"] == 9).all()
    width = dataset.table.loc[dataset.table["label"] == "parabasal", "width"].astype(float).median()
    assert table.loc["parabasal", "median width, px"] == width
    assert table.loc["koilocytotic", "called"] == "abnormal" and table.loc["metaplastic", "called"] == "normal"
    assert cells_01.counts(dataset)["counts.dyskeratotic"].value == 18
    assert cells_01.mixed_groups(workshop, dataset).value == 1.0


def test_the_background_is_read_where_no_cell_lies(workshop):
    dataset = workshop.dataset()
    found = cells_01.background_features(workshop, dataset)
    pixels, regions = workshop.pixels(dataset, 64, "none")[0], workshop.regions(dataset, 64, "none")
    free = regions[0] == 0
    np.testing.assert_allclose(found[0], np.median(pixels[0][free], axis=0) / 255)
    assert (
        found.mean(1) > cells_01.colour_features(workshop, dataset)[:, :3].mean(1)
    ).mean() > 0.95  # glass is brighter


def test_size_alone_tells_much_and_nothing_by_lot(workshop):
    dataset = workshop.dataset()
    told = cells_01.forest(workshop, dataset, {"size": cells_01.size_features(workshop, dataset),
                                              "lot": np.random.default_rng(0).normal(0, 1, (90, 3))})  # fmt: skip
    assert told["size"]["correct"].mean() > 0.4 and told["lot"]["correct"].mean() < 0.35
    p = told["size"][[f"p_{c}" for c in dataset.classes]].to_numpy()
    np.testing.assert_allclose(p.sum(1), 1)
    assert (p.argmax(1) == told["size"]["predicted"]).all()
