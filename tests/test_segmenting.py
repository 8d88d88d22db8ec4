"""Maps as segmenters, on a network whose map is the picture's brightness: what comes out is known beforehand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import write_dataset
from PIL import Image
from torch import nn

from studylib.data.dataset import load_dataset
from studylib.data.transforms import prepare_masks
from studylib.metrics import floors, localisation
from studylib.models.staged import StagedClassifier
from studylib.models.unet import unet
from studylib.study import segmenting
from studylib.study.plan import Run
from studylib.study.settings import Arm
from studylib.training.pixels import load_pixels

SIDE, N = 48, 30
CLASSES = ("meningioma", "glioma", "pituitary")


class Brightness(StagedClassifier):
    """Class 0 is the brighter the surer: its map is the picture itself, on two pixels a side."""

    def __init__(self, pool: int = 1) -> None:
        conv = nn.Conv2d(3, 3, 1, bias=False)
        upper, shift = nn.Sequential(nn.AvgPool2d(pool), conv), ((0.0,) * 3, (1.0,) * 3)
        super().__init__(nn.Sequential(), upper, nn.Linear(3, 3), shift, "none")
        with torch.no_grad():
            conv.weight.copy_(torch.eye(3)[:, :, None, None])
            self.fc.weight.copy_(torch.tensor([[1.0, 0, 0], [0.0, 0, 0], [0.0, 0, 0]]))
            self.fc.bias.copy_(torch.tensor([1.0, 0, 0]))


class Workshop:
    """As much of a Workshop as maps need: one data set, one split."""

    def __init__(self, dataset, folder) -> None:
        self._dataset, self.folder = dataset, folder
        self.profile = SimpleNamespace(image_size=SIDE)
        self.settings = SimpleNamespace(group="group")
        part = np.array(["test", "train", "validation"])[np.arange(N) % 3]
        self._split = SimpleNamespace(part=part)

    def dataset(self, _variant="plain"):
        return self._dataset

    def split(self, _run):
        return self._split

    def group_of(self, dataset):
        return dataset.groups()

    def pixels(self, dataset, size, crop):
        return load_pixels(dataset, size, crop, self.folder / ".cache")

    def regions(self, dataset, size, crop):
        return prepare_masks(dataset, size, crop)

    def masks(self, dataset, size, crop):
        return prepare_masks(dataset, size, crop) == 1

    def labels(self, dataset):
        return np.array([CLASSES.index(name) for name in dataset.table["label"]]), CLASSES


def trained(model: nn.Module, repeat: int = 0, architecture: str = "small"):
    """A network as a finished fit."""
    arm = Arm("main", "staged", {"architecture": architecture}, crop="none")
    spec = SimpleNamespace(image_size=SIDE, crop="none", model="staged",
                           options=(("architecture", architecture), ("outputs", 3)))  # fmt: skip
    fit = SimpleNamespace(model=lambda: model.eval(), spec=spec, weights_from="none")
    return SimpleNamespace(run=Run(arm, "group", repeat, repeat, repeat), fit=fit)


class Fits:
    """Networks by arm; every split holds the same."""

    def __init__(self, **arms) -> None:
        self._arms = arms
        self.arms = list(arms)

    def has(self, arm, _split="group"):
        return arm in self._arms

    def select(self, arm, _split="group"):
        return self._arms[arm]

    def __iter__(self):
        return iter(t for networks in self._arms.values() for t in networks)


def make_workshop(folder) -> Workshop:
    """Heads with one bright tumour each, of 1 to 6 % of the picture; places and sizes differ by class."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    rows = []
    for room in ("images", "masks"):
        (folder / room).mkdir(parents=True)
    for i in range(N):
        label, name = i // 3 % 3, f"{i:02d}.png"
        at = rng.integers(14, 34, 2)
        mask = ((y - at[0]) ** 2 + (x - at[1]) ** 2) < (3.2 + 1.6 * (2 - label)) ** 2
        head = ((y - 24) ** 2 + (x - 24) ** 2) < 22**2
        picture = np.where(mask, 220, np.where(head, 90, 0)) + rng.integers(0, 12, (SIDE, SIDE))
        Image.fromarray(picture.astype(np.uint8)).save(folder / "images" / name)
        Image.fromarray(mask.astype(np.uint8)).save(folder / "masks" / name)
        row = {"image": f"images/{name}", "label": CLASSES[label], "group": f"p{i // 3}", "mask": f"masks/{name}"}
        rows.append(row | {"plane": ("axial", "coronal")[i % 2], "fold": str(i // 3 % 5)})
    write_dataset(folder, rows, classes=list(CLASSES))
    return Workshop(load_dataset(folder), folder / "cache")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return make_workshop(tmp_path_factory.mktemp("slices") / "made")


def test_the_cam_of_a_network_that_sees_brightness_is_the_picture(workshop):
    t = trained(Brightness())
    seen = segmenting.seen_by(workshop, t)
    e = segmenting.explained(seen)
    np.testing.assert_allclose(segmenting.large(e, "cam", SIDE), seen.pictures.pixels / 255, atol=1e-6)
    said = segmenting.told(seen, e)
    assert (said["predicted"] == 0).all() and said["correct"].mean() == (seen.pictures.labels == 0).mean()
    np.testing.assert_allclose(said["tumour"], seen.pictures.masks.mean((1, 2)))
    p = torch.softmax(e.logits.double(), 1)
    np.testing.assert_allclose(said["confidence"], p.max(1).values)


def test_cam_table_equals_the_plain_way(workshop):
    fits = Fits(main=[trained(Brightness()), trained(Brightness(), 1)])
    table = segmenting.cam_table(workshop, fits, "main")
    seen = segmenting.seen_by(workshop, fits.select("main")[0])
    assert len(table) == 2 * len(seen.pixels) and set(table["repeat"]) == {0, 1}
    maps = (seen.pictures.pixels / 255).astype(np.float32)
    regions = maps > np.percentile(maps, 95, axis=(1, 2), keepdims=True)
    first = table[table["repeat"] == 0]
    np.testing.assert_allclose(first["iou_p95"], localisation.iou(regions, seen.pictures.masks), atol=1e-6)
    np.testing.assert_allclose(first["area_p95"], regions.mean((1, 2)), atol=1e-6)
    np.testing.assert_allclose(first["iou_matched"], 1.0)  # the tumour is brighter than all else
    assert (first["iou_p99"] < first["iou_p95"]).sum() > len(first) / 2


def test_floors_are_what_they_are_called(workshop):
    fits = Fits(main=[trained(Brightness()), trained(Brightness(), 1)])
    cam = segmenting.cam_table(workshop, fits, "main")
    table = segmenting.floor_table(workshop, fits, "main", cam)
    assert set(table["map"]) == {"centre", "class_mean", "brightest", "sobel", "random", "random_weights"}
    t = fits.select("main")[0]
    seen, train = segmenting.seen_by(workshop, t), segmenting.seen_by(workshop, t, "train").pictures
    masks = seen.pictures.masks
    first = table[table["repeat"] == 0].set_index("map")
    np.testing.assert_allclose(first.loc["brightest", "iou_5"], cam.loc[cam["repeat"] == 0, "iou_5"])  # this one's map
    np.testing.assert_allclose(
        first.loc["centre", "auprc"], localisation.pixel_auprc(floors.centred_gaussian(masks.shape), masks)
    )
    means = segmenting.class_masks(workshop, t)
    np.testing.assert_allclose(means[1], train.masks[train.labels == 1].mean(0))
    said = np.broadcast_to(means[0], masks.shape)  # this network always says class 0
    np.testing.assert_allclose(first.loc["class_mean", "auprc"], localisation.pixel_auprc(said, masks))


def test_the_mean_mask_is_that_of_the_class_that_was_said(workshop):
    fits = Fits(main=[trained(Brightness())])
    cam = segmenting.cam_table(workshop, fits, "main")
    cam["predicted"] = np.arange(len(cam)) % 3
    table = segmenting.floor_table(workshop, fits, "main", cam, names=("auprc",))
    means, masks = (
        segmenting.class_masks(workshop, fits.select("main")[0]),
        segmenting.seen_by(workshop, fits.select("main")[0]).pictures.masks,
    )
    expected = localisation.pixel_auprc(means[cam["predicted"]], masks)
    np.testing.assert_allclose(table.loc[table["map"] == "class_mean", "auprc"], expected)


def test_floors_on_validation_images_have_no_network_and_share_no_image_with_the_test(workshop):
    fits = Fits(main=[trained(Brightness())])
    cam = segmenting.cam_table(workshop, fits, "main", part="validation", names=())
    table = segmenting.floor_table(workshop, fits, "main", cam, "validation", ("iou_5",))
    assert set(table["map"]) == set(segmenting.FLOORS) and "auprc" not in table
    assert not set(table["image"]) & set(segmenting.cam_table(workshop, fits, "main", names=())["image"])


def test_methods_are_judged_on_the_same_evenly_taken_images(workshop):
    fits = Fits(main=[trained(Brightness())])
    table = segmenting.methods_table(workshop, fits, "main", ("cam", "gradcam"), ("upper",), 4)
    assert table.groupby("method")["image"].nunique().to_dict() == {"cam": 4, "gradcam": 4}
    both = table.pivot(index="image", columns="method", values="iou_p95")
    np.testing.assert_allclose(both["cam"], both["gradcam"])  # behind global pooling they are one map
    names = np.sort(segmenting.seen_by(workshop, fits.select("main")[0]).pictures.names)
    assert {names[0], names[-1]} <= set(table["image"])


def test_unet_is_judged_by_its_own_mask_and_at_the_tumours_area(workshop):
    class Outlines(nn.Module):
        def forward(self, images):
            return 10 * (images[:, :1] - 0.6)

    table = segmenting.unet_table(workshop, Fits(unet=[trained(Outlines())]), "unet")
    np.testing.assert_allclose(table["iou"], 1.0)
    np.testing.assert_allclose(table["iou_matched"], 1.0)
    blind = segmenting.unet_table(workshop, Fits(unet=[trained(unet(SIDE, width=4, levels=2))]), "unet")
    assert blind["iou"].mean() < 0.5


def test_averaging_is_over_networks_within_an_image():
    rows = pd.DataFrame({"image": ["a", "a", "b"], "group": ["1", "1", "2"], "label": [0, 0, 1], "x": [1.0, 3.0, 5.0]})
    assert segmenting.averaged(rows, ["x"])["x"].tolist() == [2.0, 5.0]


def test_common_pictures_are_the_same_rows_for_every_network(workshop):
    networks = [trained(Brightness()), trained(Brightness(), 1)]
    at = segmenting.common(workshop, networks[0], 5)
    first, second = at(networks[0]), at(networks[1])
    assert len(first) == 5
    np.testing.assert_array_equal(first.names, second.names)


def test_scorecam_stands_beside_cam(workshop):
    seen = segmenting.seen_by(workshop, trained(Brightness(2)))
    found = segmenting.beside_scorecam(seen, 3)
    assert found.index.tolist() == ["cam", "scorecam"] and found.index.name == "3 images"
    assert found.loc["cam", "pointing"] == 1.0
