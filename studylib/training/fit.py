"""fit(): one FitSpec to one trained network on disk; trained once, resumed after a kill, never by two processes at a
time.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from studylib.models.registry import build, learns
from studylib.training.detection import Detector, found_boxes
from studylib.training.examples import Examples
from studylib.training.features import frozen_features
from studylib.training.guidance import GuidedClassifier
from studylib.training.imbalance import BalancedClassifier, BalancedOrder
from studylib.training.locks import lock
from studylib.training.module import Classifier, EpochOrder, as_input, loader
from studylib.training.precision import on_this_machine
from studylib.training.result import Fit
from studylib.training.segmentation import Segmenter, found_outlines
from studylib.training.spec import FitSpec

PRECISION = {"bf16": "bf16-mixed", "float32": "32-true"}


@contextmanager
def one_thread() -> Iterator[None]:
    """Two fits with one thread each beat one fit with two, and give the same bytes on any number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def quiet() -> Iterator[None]:
    """No advice from Lightning while it trains; its errors still show."""
    loggers = [
        logging.getLogger(name)
        for name in ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
    ]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def fit(spec: FitSpec, examples: Examples, runs: Path, *, on_epoch: Callable[[dict], None] | None = None) -> Fit:
    """Train `spec` on `examples`, or return the finished fit. runs: the folder of all runs -> Fit in
    `runs/<study>/<key>/`.

    Written in `<key>.partial` and renamed when whole; a checkpoint every epoch lets a killed fit go on where it
    stood and end with the same bytes. `on_epoch` gets each row of the learning curve as it is made.
    """
    folder = runs / spec.study / spec.key
    with lock(runs / spec.study / ".locks" / spec.key):
        if not Fit(spec, folder).whole:
            partial = folder.with_name(f"{spec.key}.partial")
            with one_thread(), quiet():
                _train(spec, examples, partial, runs, on_epoch)
            partial.rename(folder)
    return Fit(spec, folder)


def _train(spec: FitSpec, examples: Examples, partial: Path, runs: Path, on_epoch: Callable | None) -> None:
    """Train into `partial`, which may hold the checkpoints of a killed run."""
    import lightning.pytorch as pl
    from lightning.pytorch.callbacks import LambdaCallback

    partial.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(spec.seed)
    network = build(spec.model, **dict(spec.options)).to(memory_format=torch.channels_last)
    cached = hasattr(network, "trunk") and not spec.augment  # what a trunk makes of a changed picture is made anew
    inputs = frozen_features(network, examples.pixels, spec, runs) if cached else examples.pixels
    trained = network.trained() if cached else network
    classifier = learner(trained, spec, examples)
    targets = {"masks": examples.masks, "boxes": examples.boxed}.get(learns(spec.model), examples.targets)
    train, validation = examples.rows("train"), examples.rows("validation")
    masks = examples.masks[train] if spec.guide else None
    order = EpochOrder(len(train), spec.seed)
    if spec.balance == "sampler":
        order = BalancedOrder(examples.targets[train], spec.seed)
    batches = loader(inputs[train], targets[train], spec.batch_size, order, masks)
    trainer = pl.Trainer(
        max_epochs=spec.epochs,
        accelerator="auto",
        devices=1,
        precision=PRECISION[on_this_machine(spec.precision)],
        deterministic=True,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=partial,
        callbacks=[
            _checkpoints(partial),
            LambdaCallback(on_validation_end=lambda *_: on_epoch and on_epoch(classifier.history[-1])),
        ],
    )
    last = partial / "last.ckpt"
    held_out = loader(inputs[validation], targets[validation], 64)
    trainer.fit(classifier, batches, held_out, ckpt_path=str(last) if last.exists() else None, weights_only=False)
    best = torch.load(trainer.checkpoint_callback.best_model_path, map_location="cpu", weights_only=False)
    classifier.load_state_dict(best["state_dict"])
    _write(spec, network, trained, classifier, examples, inputs, partial, best["epoch"] + 1)


def learner(network: nn.Module, spec: FitSpec, examples: Examples) -> Classifier:
    """The network with the loss that it is trained by."""
    if spec.balance:
        counts = np.bincount(examples.targets[examples.rows("train")], minlength=len(examples.classes))
        return BalancedClassifier(network, spec, counts)
    kinds = {"masks": Segmenter, "boxes": Detector, "labels": GuidedClassifier if spec.guide else Classifier}
    return kinds[learns(spec.model)](network, spec)


def _checkpoints(partial: Path):
    """The first epoch with the best validation accuracy is kept (source 02, 4.3; where classes are balanced, balanced
    accuracy), and the last one to go on from.
    """
    from lightning.pytorch.callbacks import ModelCheckpoint

    return ModelCheckpoint(
        dirpath=partial,
        filename="best",
        monitor="kept_by",
        mode="max",
        save_top_k=1,
        save_last=True,
        enable_version_counter=False,
    )


def _write(spec, network, trained, classifier, examples, inputs, partial, best_epoch) -> None:
    """Write what is kept and remove the checkpoints; `spec.json` comes last and says that the fit is whole."""
    from safetensors.torch import save_file

    network.eval().to(memory_format=torch.contiguous_format)
    state = {k: v.contiguous() for k, v in network.state_dict().items() if not k.startswith("trunk.")}
    save_file(state, partial / "weights.safetensors")
    history = pd.DataFrame(classifier.history)
    history.drop(columns="seconds").to_csv(partial / "history.csv", index=False)
    seconds = {"epochs": [round(s, 3) for s in history["seconds"]], "total": round(history["seconds"].sum(), 3)}
    (partial / "seconds.json").write_text(json.dumps(seconds))
    told = {"masks": found_outlines, "boxes": found_boxes, "labels": predict}[learns(spec.model)]
    told(trained.eval(), examples, inputs).to_csv(partial / "predictions.csv", index=False, float_format="%.6g")
    shutil.rmtree(partial / "checkpoints", ignore_errors=True)
    for checkpoint in partial.glob("*.ckpt"):
        checkpoint.unlink()
    values = spec.to_dict() | {
        "best_epoch": best_epoch,
        "weights_from": getattr(network, "weights_from", "none"),
        "trained_in": on_this_machine(spec.precision),
    }
    beside = partial / f"spec.{os.getpid()}"
    beside.write_text(json.dumps(values, indent=1, sort_keys=True))
    beside.rename(partial / "spec.json")


@torch.inference_mode()
def predict(network: nn.Module, examples: Examples, inputs: np.ndarray, batch_size: int = 64) -> pd.DataFrame:
    """Class probabilities of every image that has a part: image, group, part, label, target, a column `p_<class>`
    each.
    """
    rows = examples.parted()
    logits = torch.cat(
        [network(as_input(inputs[rows[i : i + batch_size]])) for i in range(0, len(rows), batch_size)]
    ).double()
    p = (
        torch.softmax(logits, 1)
        if logits.shape[1] > 1
        else torch.cat([1 - torch.sigmoid(logits), torch.sigmoid(logits)], 1)
    )
    told = {f"p_{name}": p[:, i].numpy() for i, name in enumerate(examples.classes)}
    return pd.DataFrame(examples.columns(rows) | told)
