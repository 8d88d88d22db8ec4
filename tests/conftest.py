"""What several tests share: a tiny dataset folder, pictures and masks of lesions, a tiny study with trained networks,
the folder of real images.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image


def write_dataset(folder: Path, rows: list[dict], **info) -> Path:
    """Write dataset.json (classes yes and no, region 1 unless `info` says otherwise) and metadata.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"name": folder.name, "classes": ["yes", "no"], "regions": {"1": "tumour"}} | info
    (folder / "dataset.json").write_text(json.dumps(about))
    with open(folder / "metadata.csv", "w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]), restval="")
        table.writeheader()
        table.writerows(rows)
    return folder


def write_lesion_picture(path: Path, seed: int, wide: int = 60, high: int = 45) -> None:
    """Write a smooth random colour picture as JPEG or PNG, no two seeds alike, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(40, 216, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((wide, high), Image.Resampling.BICUBIC).save(path)


def write_lesion_mask(path: Path, box: tuple[int, int, int, int], wide: int = 60, high: int = 45) -> None:
    """Write a mask of 0 and 255 whose lesion is a box (left, top, right, bottom), with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((high, wide), dtype=np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    Image.fromarray(mask).save(path)


@pytest.fixture
def tiny_dataset(tmp_path) -> Path:
    """A folder of 12 grey images, 20 x 24: groups p0 to p5 of two images each, the even ones "yes" with a mask."""
    folder, rng, rows = tmp_path / "tiny", np.random.default_rng(0), []
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for i in range(12):
        yes = (i // 2) % 2 == 0
        Image.fromarray(rng.integers(0, 256, (20, 24), dtype=np.uint8)).save(folder / f"images/{i}.png")
        row = {"image": f"images/{i}.png", "label": "yes" if yes else "no", "group": f"p{i // 2}", "mask": ""}
        if yes:
            mask = np.zeros((20, 24), dtype=np.uint8)
            mask[5 : 5 + i + 1, 6:10] = 1
            Image.fromarray(mask).save(folder / f"masks/{i}.png")
            row["mask"] = f"masks/{i}.png"
        rows.append(row)
    return write_dataset(folder, rows)


@pytest.fixture
def real_data() -> Path:
    """The folder of real images; tests that need it are skipped where STUDYLIB_DATA is not set."""
    given = os.environ.get("STUDYLIB_DATA", "")
    if not given:
        pytest.skip("STUDYLIB_DATA is not set: no real images to check")
    return Path(given)


TINY_STUDY = """
[study]
title = "A tiny study"
source = "none"
claim = "none"
primary = "none"
unit = "person"
group = "group"
real = []
external = ""
external_group = ""
phantom = "tumours"
positive = ""
[arms.small]
why = "four convolutions"
model = "staged"
options = {architecture = "small"}
crop = "none"
[arms.by_lot]
why = "labels drawn by lot"
model = "staged"
options = {architecture = "small"}
crop = "none"
labels = "shuffled"
[arms.outlines]
why = "told the outlines: it names no class"
model = "unet"
crop = "none"
[quick]
image_size = 48
epochs = 1
folds = 3
minutes = 0.1
main = {phantom = "small"}
[quick.phantom]
patients = 36
slices = 1
size = 64
area_scale = 4.0
[quick.fits]
small = {group = 2}
by_lot = {group = 1}
outlines = {group = 1}
"""


def train_briefly(workshop, run, steps: int = 25) -> None:
    """Write a finished fit as `studylib.training.fit` does, trained for a second without Lightning."""
    import torch
    from safetensors.torch import save_file

    from studylib.models.registry import build

    spec, examples = workshop.examples(run)
    folder = workshop.fit_of(spec).folder
    folder.mkdir(parents=True)
    torch.manual_seed(spec.seed)
    network = build(spec.model, **dict(spec.options))
    images = torch.from_numpy(examples.pixels.copy()).float()[:, None].expand(-1, 3, -1, -1) / 255
    rows, labels = examples.rows("train"), torch.from_numpy(examples.targets)
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # several wait for each other longer than they compute
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(images[rows]), labels[rows]).backward()
        optimiser.step()
    torch.set_num_threads(threads)
    network.eval()
    rows = examples.parted()
    with torch.no_grad():
        p = network(images[rows]).double().softmax(1).numpy()
    table = pd.DataFrame(examples.columns(rows)).assign(**{f"p_{c}": p[:, i] for i, c in enumerate(examples.classes)})
    table.to_csv(folder / "predictions.csv", index=False)
    save_file(dict(network.state_dict()), folder / "weights.safetensors")
    about = {"best_epoch": 1, "weights_from": "none", "trained_in": "float32"}
    (folder / "spec.json").write_text(json.dumps(spec.to_dict() | about))


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory) -> Path:
    """A project whose one study, 07, has three trained networks of 48 pixels: small on two folds, and one by lot."""
    from studylib.models.registry import learns
    from studylib.study.settings import load_settings
    from studylib.study.train import Workshop

    root = tmp_path_factory.mktemp("project")
    for folder in ("notebooks", "data/claims", "reports"):
        (root / folder).mkdir(parents=True)
    (root / "notebooks" / "07_tiny.toml").write_text(TINY_STUDY)
    workshop = Workshop(load_settings("07", root), "phantom", "quick", 0, root / "runs")
    for run in workshop.runs():
        if learns(run.arm.model) == "labels":
            train_briefly(workshop, run)
    return root


@pytest.fixture
def tiny_project(tiny_study, monkeypatch) -> Path:
    """The same as the project that is found, whatever the surroundings say."""
    for name in ("STUDYLIB_RUNS", "STUDYLIB_REPORTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STUDYLIB_HOME", str(tiny_study))
    return tiny_study


@pytest.fixture(scope="session")
def tiny_network(tiny_study):
    """Its first network, ready to be shown pictures."""
    from studylib.app.choices import collections, open_collection
    from studylib.app.network import Network

    (collection,) = collections(tiny_study, tiny_study / "runs")
    workshop, fits = open_collection(collection, tiny_study, tiny_study / "runs")
    return Network(collection, workshop, fits, fits.select("small")[0])
