"""fit(): what is kept, trained once, resumed to the same bytes after kill -9, never trained by two processes."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest

from studylib.training.examples import Examples
from studylib.training.spec import FitSpec

SIZE = 32


def toy(n=120, seed=0):
    """Pictures with a bright square in every positive: a network learns them within an epoch or two."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    pixels = rng.integers(0, 90, (n, SIZE, SIZE)).astype(np.uint8)
    pixels[labels == 1, 8:20, 8:20] += 120
    parts = np.array(["train"] * 72 + ["validation"] * 24 + ["test"] * 24)
    names = np.array([f"images/{i}.png" for i in range(n)])
    groups = np.array([f"g{i // 2}" for i in range(n)])
    return Examples(pixels, names, groups, parts, labels, labels, ("no", "yes"))


def spec_of(examples, **changes):
    values = dict(
        study="99", dataset="toy", fingerprint="f", pixels="p", rows=examples.digest(), arm="cam", split="group",
        fold=0, seed=3, model="brain", options=(("gate", "shuffled_channels"), ("image_size", SIZE)), image_size=SIZE,
        crop="none", epochs=4, warmup=1, batch_size=8, learning_rate=5e-3, precision="bf16",
    )  # fmt: skip
    return FitSpec(**values | changes)


CHILD = """
    import os, signal, sys, threading
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from test_fit import spec_of, toy
    from studylib.training.fit import fit

    def at(row):
        if row["epoch"] == {kill}:
            # the checkpoint of the epoch before is there: this kill comes in the middle of the work
            partial = next(Path({runs!r}).glob("99/*.partial"))
            assert (partial / "last.ckpt").exists(), "no checkpoint to go on from"
            os.kill(os.getpid(), signal.SIGKILL)

    examples = toy()
    fit(spec_of(examples), examples, Path({runs!r}), on_epoch=at)
"""


def child(runs, kill=0):
    code = textwrap.dedent(CHILD).format(tests=os.path.dirname(__file__), kill=kill, runs=str(runs))
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    from studylib.training.fit import fit

    examples = toy()
    return fit(spec_of(examples), examples, tmp_path_factory.mktemp("runs"))


def test_a_fit_keeps_what_is_needed_and_learns(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {"spec.json", "weights.safetensors", "history.csv", "predictions.csv", "seconds.json"}
    table = finished.predictions
    np.testing.assert_allclose(table["p_no"] + table["p_yes"], 1, atol=2e-6)
    assert set(table["part"]) == {"train", "validation", "test"}
    test = table[table["part"] == "test"]
    assert ((test["p_yes"] > 0.5) == (test["label"] == 1)).mean() > 0.9
    kept = finished.history["validation_accuracy"]
    assert finished.best_epoch == int(kept.idxmax()) + 1  # the first of equals


def test_the_model_on_disk_is_the_model_that_predicted(finished):
    import torch

    from studylib.training.module import as_input

    examples, table = toy(), finished.predictions
    rows = [examples.names.tolist().index(name) for name in table["image"]]
    with torch.inference_mode():
        p = torch.sigmoid(finished.model()(as_input(examples.pixels[rows])))[:, 0]
    np.testing.assert_allclose(p, table["p_yes"], atol=1e-5)


def test_a_finished_fit_is_not_trained_again(finished):
    from studylib.training.fit import fit

    before = (finished.folder / "spec.json").stat().st_mtime_ns
    again = fit(finished.spec, toy(), finished.folder.parents[1], on_epoch=lambda _: pytest.fail("trained again"))
    assert again.folder == finished.folder and (finished.folder / "spec.json").stat().st_mtime_ns == before


def test_killed_in_the_middle_ends_with_the_same_bytes(finished, tmp_path):
    killed = child(tmp_path, kill=3)
    assert killed.wait(120) == -9
    assert not list(tmp_path.glob("99/*/spec.json")), "a killed fit must not look finished"
    assert child(tmp_path).wait(120) == 0
    (folder,) = [path.parent for path in tmp_path.glob("99/*/spec.json")]
    for name in ("weights.safetensors", "predictions.csv", "history.csv"):
        assert (folder / name).read_bytes() == (finished.folder / name).read_bytes(), name


def test_two_processes_that_want_the_same_fit_train_it_once(tmp_path):
    both = [child(tmp_path), child(tmp_path)]
    assert [process.wait(180) for process in both] == [0, 0]
    (folder,) = [path.parent for path in tmp_path.glob("99/*/spec.json")]
    seconds = json.loads((folder / "seconds.json").read_text())
    assert len(seconds["epochs"]) == 4 and not list(tmp_path.glob("99/*.partial"))


def test_another_seed_is_another_network(finished, tmp_path):
    from studylib.training.fit import fit

    other = fit(replace(finished.spec, seed=4), toy(), tmp_path)
    assert (other.folder / "weights.safetensors").read_bytes() != (finished.folder / "weights.safetensors").read_bytes()


def test_a_head_on_cached_features_equals_training_through_the_frozen_trunk(tmp_path, monkeypatch):
    """Features computed once give, step for step, the head that training through the frozen trunk gives."""
    import torch

    from studylib.models.registry import build
    from studylib.training.fit import fit
    from studylib.training.module import EpochOrder, as_input, loss_of

    monkeypatch.setenv("STUDYLIB_OFFLINE", "1")
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)
    examples = toy()
    options = (("image_size", SIZE), ("trunk", "resnet18_to_layer3"))
    spec = spec_of(examples, model="frozen_trunk", options=options, precision="float32", epochs=1, seed=5)
    torch.manual_seed(spec.seed)
    through = build("frozen_trunk", **dict(options)).train()
    optimiser = torch.optim.Adam(through.fc.parameters(), lr=spec.learning_rate)
    train, order = examples.rows("train"), list(EpochOrder(72, spec.seed))
    for start in range(0, 72, spec.batch_size):
        rows = train[order[start : start + spec.batch_size]]
        loss = loss_of(through(as_input(examples.pixels[rows])), torch.as_tensor(examples.targets[rows]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    state = {k: v for k, v in through.state_dict().items() if k.startswith("fc.")}
    from safetensors.torch import load_file

    # a trunk from scratch is drawn from the fit's own seed, so both have the same one
    got = load_file(fit(spec, examples, tmp_path).folder / "weights.safetensors")
    for name, value in state.items():
        torch.testing.assert_close(got[name], value, rtol=1e-4, atol=1e-6)
