"""Heads of study 3 on changed images: cached means, what is regained, where maps go."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from test_heads_03 import SIDE, WIDTH, network
from test_identities_03 import looked

from studylib.data.blur import blur
from studylib.study import blur_03, heads_03
from studylib.study.heads_03 import BEST, Frozen, converged, level_means


class Shop:
    """A workshop of one set of photographs: smooth patches under fine texture, whose strength tells the class."""

    def __init__(self, folder, n=60, seed=0):
        rng = np.random.default_rng(seed)
        self.folder, self.n = folder, n
        self.labels = np.arange(n) // 2 % 2
        smooth = rng.uniform(60, 160, (n, 4, 4, 3)).repeat(SIDE // 4, 1).repeat(SIDE // 4, 2)
        texture = rng.normal(0, 1, (n, SIDE, SIDE, 1)) * np.where(self.labels, 45, 5)[:, None, None, None]
        self.images = (smooth + texture).clip(0, 255).astype(np.uint8)
        (folder / ".cache").mkdir()

    def dataset(self, _):
        return SimpleNamespace(name="cervix")

    def pixels(self, *_):
        return self.images, "digest"


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


@pytest.fixture
def blurred(shop):
    _, trained = network()
    names = np.array([f"{i:02d}.png" for i in range(shop.n)])
    groups = np.array([f"w{i // 2:02d}" for i in range(shop.n)])
    part = np.array([("train", "validation", "test")[i // 4 % 3] for i in range(shop.n)])
    of = Frozen(trained, level_means(shop, trained), shop.labels, part, names, groups)
    return blur_03.Blurred(shop, [of], [{BEST: converged(of, BEST)}])


def test_means_are_kept_by_what_was_done_and_are_the_networks(shop):
    model, trained = network()
    plain = level_means(shop, trained)
    soft = level_means(shop, trained, change=lambda x: blur(x, 49), name="blur 49")
    images = torch.as_tensor(shop.images[:3] / 255).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        expected = model.upper.pooled(model.features(blur(images, 49)))
    np.testing.assert_allclose(soft[:3], expected, rtol=1e-4, atol=1e-5)
    assert np.abs(plain - soft).max() > 1e-3 and plain.shape == (shop.n, 5, WIDTH)
    kept = len(list((shop.folder / ".cache").glob("means-*.npy")))
    level_means(shop, trained)
    assert kept == 2 == len(list((shop.folder / ".cache").glob("means-*.npy")))


def test_texture_that_tells_the_class_is_lost_under_blur_and_a_head_that_saw_it_does_no_worse(blurred):
    found = blurred.records(resamples=200)
    assert found["blur.k1.accuracy"].value > 0.85 and found["blur.k49.accuracy_drop"].value > 0
    table = blurred.table()
    assert set(table["kernel"]) == {1, 19, 49}
    sharp = table[table["kernel"] == 1]
    assert found["blur.k1.accuracy"].value == pytest.approx(sharp["correct"].mean())
    remedies = blurred.remedies(resamples=200)
    assert remedies["remedy.k49.accuracy_gained"].value >= -0.05
    assert "blur.k19.restored_minus_blurred.accuracy" in remedies


def test_a_gate_tells_texture_from_blur(blurred):
    found, curve = blurred.gate(resamples=200)
    # half of the images have hardly any texture to lose: their sharp versions rank below blurred ones of the others
    assert found["gate.laplacian.auroc.k49"].value >= 0.75
    assert curve.index.max() == 1.0 and curve["accuracy"].between(0, 1).all()


def test_share_regained_by_hand():
    def said(values):
        names = [str(i) for i in range(len(values))]
        return pd.DataFrame({"image": names, "group": names, "repeat": 0, "correct": np.array(values, float)})

    sharp, soft, better = said([1, 1, 1, 1, 0]), said([1, 0, 0, 0, 0]), said([1, 1, 0, 0, 0])
    assert blur_03.share_regained(sharp, soft, better, 19).value == pytest.approx(1 / 3)
    assert np.isnan(blur_03.share_regained(soft, soft, better, 19).value)  # no loss, nothing to regain


def test_sharpening_gives_back_part_of_what_a_blur_took():
    rng = np.random.default_rng(0)
    images = torch.as_tensor(rng.uniform(0.3, 0.7, (2, 3, SIDE, SIDE))).float()
    soft = blur(images, 19)
    better = blur_03.sharpened(images, 19)
    assert better.std() > soft.std() and ((better - images) ** 2).mean() < ((soft - images) ** 2).mean()


def test_another_clinic_is_darker_and_warmer():
    images = torch.full((1, 3, SIDE, SIDE), 0.5)
    red, green, blue = blur_03.another_clinic(images).mean((0, 2, 3)).tolist()
    assert red > green > blue and red < 0.5


def test_maps_of_unchanged_images_do_not_move():
    seen, head = looked()
    one = heads_03.Head.network(head, seen.of)
    from studylib.cam import explain

    e = explain(one, seen.images, "crm", None, "upper")
    found = blur_03.moved(e, e, seen.side)
    assert (found["log_area_ratio"] == 0).all() and (found["peak_shift"] == 0).all()
    assert (found["overlap"] == 1).all() and (found["flipped"] == 0).all()
    soft = explain(one, blur(seen.images, 49), "crm", e.target, "upper")
    away = blur_03.moved(e, soft, seen.side)
    assert (away["overlap"] < 1).any() and np.nanmax(away["peak_shift"]) > 0
