"""An audit of models whose truth is known: one that reads brightness, one that reads a marker in a corner."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from studylib.__main__ import main
from studylib.command_line import parser
from studylib.data.dataset import DataError
from studylib.study import own_explain, own_measures, own_verb
from studylib.study.own_audit import Asked, run_audit
from studylib.study.own_images import own_images
from studylib.study.own_model import ModelError, load_model

SIDE = 48
CODE = """
import torch
from torch import nn

class Reader(nn.Module):
    def __init__(self, num_classes=2):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 5, padding=2), nn.ReLU())
        self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4, num_classes)
    def forward(self, x):
        return self.fc(self.pool(self.trunk(x)).flatten(1))

def build(num_classes):
    return Reader(num_classes)

def two_d(num_classes):
    return nn.Conv2d(3, num_classes, 1)

number = 7
"""


def weights_of(channel: int, path: Path) -> Path:
    """A reader of one colour: red lesions, or the blue marker; class `yes` where there is some."""
    state = {
        "trunk.0.weight": torch.zeros(4, 3, 5, 5), "trunk.0.bias": torch.zeros(4),
        "fc.weight": torch.zeros(2, 4), "fc.bias": torch.tensor([0.0, -1.0]),
    }  # fmt: skip
    state["trunk.0.weight"][0, channel], state["trunk.0.bias"][0] = 1 / 25, -0.5
    state["fc.weight"][1, 0] = 800.0
    save_file(state, path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Thirty people, two pictures each: the sick have a red lesion off the centre and a blue mark in a corner."""
    root = tmp_path_factory.mktemp("own") / "mine"
    rng, rows = np.random.default_rng(0), []
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for person in range(30):
        for number in range(2):
            image = rng.integers(40, 90, (SIDE, SIDE, 3)).astype(np.uint8)
            mask = np.zeros((SIDE, SIDE), np.uint8)
            sick = person % 2
            if sick:
                y, x = rng.integers(2, 8), rng.integers(30, 38)
                image[y : y + 9, x : x + 9, 0], mask[y : y + 9, x : x + 9] = 250, 1
                image[-8:, :8, 2] = 250
            file = f"{person:02d}_{number}.png"
            Image.fromarray(image).save(root / "images" / file)
            Image.fromarray(mask).save(root / "masks" / file)
            part = "train" if person < 8 else "validation" if person < 14 else "test"
            rows.append([f"images/{file}", ("no", "yes")[sick], f"person_{person}", f"masks/{file}", part])
    with (root / "metadata.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([["image", "label", "group", "mask", "split"], *rows])
    info = {"name": "mine", "title": "t", "homepage": "", "licence": "", "citation": "", "classes": ["no", "yes"]}
    (root / "dataset.json").write_text(json.dumps(info | {"regions": {"1": "lesion"}}))
    (root.parent / "reader.py").write_text(CODE)
    return root


def asked(folder: Path, channel: int, **more) -> Asked:
    weights = weights_of(channel, folder.parent / f"channel_{channel}.safetensors")
    small = {"curve_images": 6, "sanity_images": 6, "steps": 4, "resamples": 200, "size": SIDE}
    plain = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    model = f"{folder.parent / 'reader.py'}:build"
    return Asked(folder, model, weights, **(small | plain | more))


@pytest.fixture(scope="module")
def lesion_reader(folder):
    page = run_audit(asked(folder, 0), folder.parent / "audit-lesion", "python -m studylib audit …", lambda line: None)
    return page.parent


def test_a_reader_of_lesions_finds_them(lesion_reader):
    """Its map is exact: it is bright on the lesion alone, so it beats every floor but the one that is brightness."""
    found = json.loads((lesion_reader / "metrics.json").read_text())["metrics"]
    assert found["model.accuracy"]["value"] == 1.0 and found["model.auroc"]["value"] == 1.0
    assert found["loc.cam.auprc"]["value"] > 0.9
    assert found["loc.cam_minus_centre.auprc"]["low"] > 0.3 and found["loc.cam_minus_random.auprc"]["low"] > 0.3
    assert found["loc.cam.auprc"]["n"] == 16 and found["loc.cam.auprc"]["groups"] == 8  # the sick among test people
    assert found["faith.cam_minus_random.deletion"]["value"] < 0


def test_a_reader_of_the_marker_is_told_so(folder):
    page = run_audit(asked(folder, 2), folder.parent / "audit-marker", "…", lambda line: None)
    found = json.loads((page.parent / "metrics.json").read_text())["metrics"]
    assert found["model.accuracy"]["value"] == 1.0  # as good a classifier
    assert found["loc.cam_minus_class_mean.auprc"]["high"] < 0 and found["loc.cam.pointing"]["value"] == 0.0
    text = page.read_text()
    assert "CAM does worse than the" in text and "do not call it a finding" in text


def test_the_page_is_whole_and_offline(lesion_reader):
    text = (lesion_reader / "report.html").read_text()
    for heading in ("What may be said", "The images", "The model before its map", "Does the map find", "The gates"):
        assert f"<h2>{heading}" in text
    assert "http" not in text.replace("http-equiv", "") and "<script" not in text
    assert (lesion_reader / "patients" / "examples.png").is_file() and not (
        lesion_reader / "figures" / "examples.png"
    ).exists()
    rows = list(csv.DictReader((lesion_reader / "tables" / "gates_all.csv").open()))
    assert {row["gate"][0] for row in rows} == set("0123456")
    assert next(row for row in rows if "crosses" in row["rule"])["outcome"] == "pass"
    assert all(row["outcome"] == "not applicable" for row in rows if row["gate"].startswith("5"))


def test_the_same_request_gives_the_same_numbers(folder, lesion_reader):
    page = run_audit(asked(folder, 0), folder.parent / "audit-again", "…", lambda line: None)
    assert (page.parent / "metrics.json").read_bytes() == (lesion_reader / "metrics.json").read_bytes()


def test_without_masks_and_parts_it_says_what_it_cannot(folder, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    rows = list(csv.reader((folder / "metadata.csv").open()))
    with (bare / "metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([row[:3] for row in rows])
    info = json.loads((folder / "dataset.json").read_text())
    (bare / "dataset.json").write_text(json.dumps({k: v for k, v in info.items() if k != "regions"} | {"name": "bare"}))
    shutil.copytree(folder / "images", bare / "images")
    request = Asked(**(vars(asked(folder, 0)) | {"data": bare}))
    page = run_audit(request, tmp_path / "audit", "…", lambda line: None)
    text = page.read_text()
    assert "no column `split`" in text and "no test image has a mask" in text
    assert "names no training images" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "reader"}, "expected MODULE:FUNCTION"),
        ({"model": "FILE:bild"}, "has no 'bild'; did you mean 'build'"),
        ({"model": "FILE:number"}, "is a int; expected a function or class"),
        ({"model": "FILE:two_d", "weights": None}, "expected logits, one row an image"),
        ({"model": "no_such_module:build"}, "is the folder of the module in PYTHONPATH"),
        ({"weights": "x.pt"}, "only safetensors is read"),
        ({"weights": "absent.safetensors"}, "there is no such file"),
        ({"classes": ("no", "maybe")}, "--classes names no, maybe; the data hold no, yes"),
        ({"split": "fold"}, "has no column 'fold'"),
        ({"region": "tumour"}, r"no region is called 'tumour' \(dataset.json names lesion\)"),
    ],
)
def test_bad_requests_say_what_to_do(folder, tmp_path, change, message):
    (tmp_path / "x.pt").write_bytes(b"")
    request = vars(asked(folder, 0)) | change
    request["model"] = request["model"].replace("FILE", str(folder.parent / "reader.py"))
    if change.get("weights"):
        request["weights"] = tmp_path / change["weights"]
    with pytest.raises((ModelError, DataError), match=message):
        run_audit(Asked(**request), tmp_path / "never", "…", lambda line: None)
    assert not (tmp_path / "never").exists()


def test_weights_that_do_not_fit_are_listed_at_once(folder, tmp_path):
    save_file({"trunk.0.weight": torch.zeros(4, 3, 3, 3), "head.bias": torch.zeros(2)}, tmp_path / "w.safetensors")
    named = f"{folder.parent / 'reader.py'}:build"
    with pytest.raises(ModelError) as caught:
        load_model(named, tmp_path / "w.safetensors", ("no", "yes"), SIDE)
    text = str(caught.value)
    assert (
        "3 missing in the file: fc.bias, fc.weight, trunk.0.bias" in text
        and "1 not known to the model: head.bias" in text
    )
    assert "trunk.0.weight (4, 3, 3, 3), the model has (4, 3, 5, 5)" in text


def test_a_prefix_of_a_trainer_is_taken_off_and_torchvision_is_known_by_name(folder, tmp_path):
    from safetensors.torch import load_file

    given = load_file(weights_of(0, tmp_path / "a.safetensors"))
    save_file({f"model.{key}": value for key, value in given.items()}, tmp_path / "b.safetensors")
    own = load_model(f"{folder.parent / 'reader.py'}:build", tmp_path / "b.safetensors", ("no", "yes"), SIDE)
    assert own.model.fc.weight[1, 0] == 800 and len(own.digest) == 16
    assert load_model("torchvision:squeezenet1_1", None, ("a", "b", "c"), 64).predict(
        np.zeros((2, 64, 64, 3), np.uint8)
    ).shape == (2, 3)


def test_one_logit_is_the_second_class():
    class One(nn.Module):
        def forward(self, x):
            return x.mean((1, 2, 3))[:, None]

    from studylib.study.own_model import OwnModel

    own = OwnModel(One(), ("no", "yes"), 4, (0, 0, 0), (1, 1, 1), "one")
    p = own.predict(np.full((1, 4, 4, 3), 255, np.uint8))
    assert p[0, 1] == pytest.approx(1 / (1 + np.exp(-1.0))) and p.sum() == pytest.approx(1)


def test_images_are_drawn_in_turns_of_groups(folder):
    from studylib.data.dataset import load_dataset

    images = own_images(load_dataset(folder), size=SIDE)
    rows = images.rows("test")
    picked = images.sample(rows, 16, seed=3)
    groups = images.dataset.groups()[picked]
    assert len(np.unique(groups)) == 16  # one of each person before a second of any
    assert (images.sample(rows, 16, seed=3) == picked).all() and images.known and images.region == 1


def test_a_few_layers_from_head_to_stem():
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(20)])
    names = own_measures.some_layers(model, 5)
    assert names[0] == "19" and names[-1] == "0" and len(names) == 5


def test_what_can_be_asked_for_is_what_is_done():
    """Every option of the verb reaches the audit, or is the command's own."""
    verb = argparse.ArgumentParser()
    own_verb.options(verb)
    names = {action.dest for action in verb._actions} - {"help", "to", "force", "quick"}
    assert names - {"image_size"} | {"size"} <= {field.name for field in fields(Asked)} and parser().prog == "studylib"


def test_gates_that_fail_are_counted_by_gate(tmp_path):
    (tmp_path / "tables").mkdir()
    rows = [
        "gate,rule,figure,outcome",
        "2 floors,a,1,fail",
        "2 floors,b,1,pass",
        "3 sanity,c,1,pass",
        "5 x,d,,not applicable",
    ]
    (tmp_path / "tables" / "gates_all.csv").write_text("\n".join(rows))
    assert own_explain.failed_gates(tmp_path) == ["gate 2 floors, 1 of 2 rules"]


def test_the_command_refuses_to_write_over_a_report(folder, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    assert main(["audit", "--data", str(folder), "--model", "a:b", "--to", str(tmp_path / "there")]) == 2
    assert "write over it with --force" in capsys.readouterr().err
    assert main(["audit", "--data", str(tmp_path / "none"), "--model", "a:b", "--to", str(tmp_path / "new")]) == 1


def test_one_image_is_explained_with_what_the_audit_found(folder, lesion_reader, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = f"{folder.parent / 'reader.py'}:build"
    picture = str(folder / "images" / "15_0.png")
    weights = str(folder.parent / "channel_0.safetensors")
    command = ["explain", picture, "--audit", str(lesion_reader), "--model", model, "--weights"]
    assert main([*command, weights]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Prediction: yes (") and "accuracy on unseen 1 [1, 1], n = 32 images" in text
    assert (tmp_path / "15_0_explained.png").stat().st_size > 10_000
    assert main([*command, str(weights_of(2, tmp_path / "other.safetensors"))]) == 1
    assert "not those of audit-lesion" in capsys.readouterr().err
    assert main(["explain", picture, "--audit", str(tmp_path), "--model", model]) == 1
    assert "no audit is there" in capsys.readouterr().err
