"""What augmentation and the penalty on the map gave: pairs by hand, and a network whose map is the picture itself."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from test_segmenting import Brightness, make_workshop, trained

from studylib.metrics.localisation import energy_inside
from studylib.study import refined_01, train
from studylib.study.mapping import held_out


class Networks:
    """As much of Fits as pairs need: arms with two networks each."""

    def __init__(self, *arms: str) -> None:
        self.arms = arms

    def has(self, arm: str, _split: str = "group") -> bool:
        return arm in self.arms

    def select(self, arm: str) -> list:
        of = SimpleNamespace(name=arm, guide_regions=("nucleus",))
        return [SimpleNamespace(run=SimpleNamespace(arm=of, repeat=k)) for k in range(2)]


def told(arm: str, repeat: int) -> pd.DataFrame:
    """Four pictures of two slides: the refined network is right on one more; one of its maps has nothing positive."""
    correct = [1.0, 0, 0, 1] if arm == "confounded" else [1.0, 1, 0, 1]
    energy = [0.2, 0.4, 0.6, 0.8] if arm == "confounded" else [0.5, 0.5, 0.9, np.nan]
    return pd.DataFrame({"image": list("abcd"), "group": ["s", "s", "t", "t"], "repeat": repeat,
                         "correct": correct, "energy": energy})  # fmt: skip


def test_the_refined_network_is_compared_with_its_twin_where_ink_is_free(monkeypatch):
    asked = []

    def judged(_workshop, network, variant, names):
        asked.append((network.run.arm.name, variant, names))
        return told(network.run.arm.name, network.run.repeat)

    monkeypatch.setattr(refined_01, "judged", judged)
    found = refined_01.refinement(None, Networks("small", "confounded", "confounded_guided"), "small")
    assert found["refine.accuracy_gain"].value == 0.25 and found["refine.accuracy_gain"].n == 4
    assert found["refine.energy_gain"].value == pytest.approx((0.3 + 0.1 + 0.3) / 3)
    assert found["refine.energy_gain"].n == 3  # the picture without a map is left out, not counted as 0
    assert set(asked) == {(arm, "confounded_free", ("nucleus",)) for arm in ("confounded", "confounded_guided")}
    assert "free of the class" in found["refine.accuracy_gain"].how


@pytest.mark.parametrize(
    ("arms", "pair"),
    [
        (("m", "m_guided"), ("m", "m_guided", "")),
        (("m", "m_guided", "confounded"), ("m", "m_guided", "")),
        (("m", "m_guided", "confounded", "confounded_guided"), ("confounded", "confounded_guided", "confounded_free")),
        (("m",), ("", "", "")),
    ],
)
def test_which_pair_is_compared(arms, pair):
    assert refined_01.pair(Networks(*arms), "m") == pair


def test_nothing_is_recorded_of_what_was_not_trained():
    assert refined_01.refinement(None, Networks("m"), "m") == {}
    assert refined_01.augmentation(Networks("m"), "m") == {}


def test_energy_on_named_regions_and_what_was_said(tmp_path):
    workshop = make_workshop(tmp_path / "made")
    workshop.named_regions = lambda dataset, size, crop, names: workshop.masks(dataset, size, crop).astype(np.uint8)
    network = trained(Brightness())
    table = refined_01.judged(workshop, network, "", ("tumour",))
    pictures = held_out(workshop, network)
    maps = pictures.pixels.astype(float)
    np.testing.assert_allclose(table["energy"], energy_inside(maps, pictures.masks), rtol=1e-3)
    assert table["image"].tolist() == pictures.names.tolist()
    # the first class wins everywhere: its logit is brightness + 1, the others' are 0
    np.testing.assert_array_equal(table["correct"], (pictures.labels == 0).astype(float))


def test_regions_by_name_and_a_name_that_is_unknown():
    values = np.array([[[0, 1], [2, 3]]], np.uint8)
    shop = SimpleNamespace(regions=lambda *_: values)
    dataset = SimpleNamespace(name="cells", regions={0: "background", 1: "nucleus (blue)", 2: "cytoplasm", 3: "ink"})
    found = train.Workshop.named_regions(shop, dataset, 2, "none", ("nucleus", "cytoplasm"))
    np.testing.assert_array_equal(found, [[[0, 1], [1, 0]]])
    with pytest.raises(ValueError, match=r"cells has no region 'nuclei'; it has nucleus, cytoplasm, ink"):
        train.Workshop.named_regions(shop, dataset, 2, "none", ("nuclei",))
