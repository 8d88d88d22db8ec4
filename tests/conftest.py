"""What several tests share: a tiny dataset folder, pictures and masks of lesions, the folder of real images."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
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
