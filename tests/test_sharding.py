"""Shards: whole or not there, resumed, shared by processes, of constant memory; a bad image is named, not fatal."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from studylib.__main__ import main
from studylib.cam import explain
from studylib.data.dataset import DataError, load_dataset
from studylib.study import sharding
from studylib.study.own_images import own_images
from studylib.study.own_model import OwnModel

SIDE = 16


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.pool(self.trunk(x)).flatten(1))


@pytest.fixture
def own():
    return OwnModel(Small().eval(), ("a", "b"), SIDE, (0, 0, 0), (1, 1, 1), "small")


@pytest.fixture
def images(tmp_path):
    root, rng = tmp_path / "set", np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = ["image,label,group,mask"]
    for i in range(21):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)).save(root / "images" / f"{i:02d}.png")
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[:4, : 4 + i % 3] = 1
        Image.fromarray(mask).save(root / "masks" / f"{i:02d}.png")
        rows.append(f"images/{i:02d}.png,{'ab'[i % 2]},g{i},masks/{i:02d}.png")
    (root / "metadata.csv").write_text("\n".join(rows))
    about = {"name": "set", "title": "", "homepage": "", "licence": "", "citation": "", "classes": ["a", "b"]}
    (root / "dataset.json").write_text(json.dumps(about | {"regions": {"1": "r"}}))
    return own_images(load_dataset(root), size=SIDE)


def quiet(line):
    return None


def test_shards_hold_what_one_pass_gives(own, images, tmp_path):
    made = sharding.maps_in_batches(own, images, ("gradcam", "layercam"), None)
    assert sharding.write_shards(tmp_path / "out", 21, made, "k", shard=8, say=quiet) == 3
    maps = np.concatenate([np.load(path)["gradcam"] for path in sorted((tmp_path / "out").glob("*.npz"))])
    whole = explain(own.model, own.images(images.pixels(np.arange(21))), "gradcam")["gradcam"].numpy()
    assert np.abs(maps - whole).max() <= 1e-3 * np.abs(whole).max()  # float16 has eleven bits
    table = pd.concat([pd.read_csv(path) for path in sorted((tmp_path / "out").glob("*.csv"))], ignore_index=True)
    assert table["image"].tolist() == [f"images/{i:02d}.png" for i in range(21)] and table["problem"].isna().all()
    told = sharding.summary(tmp_path / "out")
    assert told.loc["gradcam.auprc", "mean"] == pytest.approx(table["gradcam.auprc"].mean())
    assert told.loc["gradcam.auprc", "images"] == 21


def test_a_stopped_run_goes_on_and_makes_nothing_twice(tmp_path):
    asked = []

    def made(rows):
        asked.append(rows.start)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return {"x": np.array(rows)}, pd.DataFrame({"problem": [""] * len(rows), "value": list(rows)})

    with pytest.raises(KeyboardInterrupt):
        sharding.write_shards(tmp_path, 10, made, "k", shard=4, say=quiet)
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["00000.csv"]
    assert sharding.write_shards(tmp_path, 10, made, "k", shard=4, say=quiet) == 2
    assert asked == [0, 4, 4, 8]
    assert sharding.write_shards(tmp_path, 10, made, "k", shard=4, say=quiet) == 0
    assert sharding.summary(tmp_path).loc["value", "mean"] == 4.5
    with pytest.raises(DataError, match="was begun with another key"):
        sharding.write_shards(tmp_path, 10, made, "another model", shard=4, say=quiet)


def test_two_processes_share_the_shards(tmp_path):
    code = (
        "import sys, time, numpy as np, pandas as pd\nfrom pathlib import Path\n"
        "from studylib.study.sharding import write_shards\n"
        "def made(rows):\n    time.sleep(0.05)\n"
        "    return {'x': np.array(rows)}, pd.DataFrame({'problem': [''] * len(rows), 'value': list(rows)})\n"
        "print(write_shards(Path(sys.argv[1]), 40, made, 'k', shard=2, say=lambda line: None))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    counts = [int(process.communicate(timeout=120)[0]) for process in both]
    assert sum(counts) == 20 and sharding.summary(tmp_path).loc["value", "images"] == 40


def test_the_command_writes_shards_and_says_the_means(images, tmp_path, capsys):
    folder = str(images.dataset.table["file"].iat[0]).split("/images/")[0]
    (tmp_path / "small.py").write_text(
        "from torch import nn\n\n\ndef build(num_classes):\n    return nn.Sequential("
        "nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))\n"
    )
    command = ["maps", "--data", folder, "--model", f"{tmp_path / 'small.py'}:build", "--to", str(tmp_path / "out")]
    command += ["--image-size", "16", "--shard", "8", "--methods", "gradcam", "--layers", "0"]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "[3/3] images 16 to 20" in text and "gradcam.auprc" in text
    assert main(command) == 0 and "[" not in capsys.readouterr().out.splitlines()[0]  # nothing was missing
    assert len(list((tmp_path / "out").glob("*.npz"))) == 3


def test_a_bad_image_is_named_and_counted(own, images, tmp_path):
    bad = images.dataset.table["file"].iat[3]
    with open(bad, "r+b") as file:  # broken after the set was checked
        file.truncate(40)
    made = sharding.maps_in_batches(own, images, ("gradcam",), None)
    sharding.write_shards(tmp_path / "out", 21, made, "k", shard=21, say=quiet)
    table = pd.read_csv(tmp_path / "out" / "00000.csv")
    assert table["problem"].notna().sum() == 1 and table["problem"].iat[3].startswith("03.png")
    assert np.isnan(np.load(tmp_path / "out" / "00000.npz")["gradcam"][3].astype(float)).all()
    assert sharding.summary(tmp_path / "out").loc["images that could not be read", "images"] == 1
    assert sharding.summary(tmp_path / "out").loc["gradcam.auprc", "images"] == 20
