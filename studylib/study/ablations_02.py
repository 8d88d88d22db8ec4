"""What study 2's ablations record: one change to network or training at a time, where a profile made it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.metrics.intervals import Estimate, difference_by
from studylib.study import compare
from studylib.study.fits import Fits


def gaps(fits: Fits, **how) -> dict[str, Estimate]:
    """Gap between training (validation) and test of the gate's arm minus that of no gate, honest split."""
    arms = ("cam", "group"), ("none", "group")
    return {
        f"gap.group.cam_minus_none.{short}_minus_test": compare.gap_difference(fits, *arms, (part, "test"), **how)
        for short, part in (("train", "train"), ("validation", "validation"))
    }


def ablations(fits: Fits, **how) -> dict[str, Estimate]:
    """Crop, augmentation, warm-up, precision, normalisation and half of the groups, as far as this profile trained
    them.
    """
    found = {}
    for name, a, b in (
        ("crop_minus_full", "none", "full_frame"),
        ("warmup2_minus_warmup0", "cam", "warmup0"),
        ("bf16_minus_float32", "none", "float32"),
        ("cam_minus_none_equal_time", "cam", "none_long"),
    ):
        if fits.has(b) and not (b == "float32" and fits.select(a)[0].fit.trained_in == "float32"):
            found[f"accuracy.group.{name}.test"] = compare.difference_of(fits, a, b, **how)
    if fits.has("originals", "group_originals"):
        augmented, plain = ("none", "group"), ("originals", "group_originals")
        found["accuracy.group.copies_minus_originals.test"] = compare.difference_of(
            fits, "none", "originals", split_b="group_originals", **how
        )
        found["gap.group.copies_minus_originals.train_minus_test"] = compare.gap_difference(
            fits, augmented, plain, ("train", "test"), **how
        )
    for name, a, b in (
        ("batch_norm_minus_none", "none", "no_batch_norm"),
        ("scaled_minus_unscaled", "none", "unscaled"),
    ):
        if fits.has(b):
            text = "epochs to 90 % training accuracy, paired by network"
            found[f"convergence.{name}"] = compare.seed_difference(fits, a, b, compare.epochs_to(0.9), "group", text)
    if fits.has("warmup0"):
        found["convergence.warmup2_minus_warmup0.loss_sd"] = compare.seed_difference(
            fits, "cam", "warmup0", loss_restlessness, "group", "SD of the change of validation loss between epochs"
        )
    if fits.has("pretrained_half") and fits.has("cam_half"):
        found["scaling.pretrained_minus_cam"] = scaling(fits, **how)
    return found


def loss_restlessness(curve: pd.DataFrame) -> float:
    """Standard deviation of the change of validation loss from epoch to epoch."""
    return float(np.std(np.diff(curve["validation_loss"]), ddof=1))


def scaling(fits: Fits, **how) -> Estimate:
    """What doubling the training groups gains: pretrained minus the gate's arm, paired by picture."""
    gains = {}
    for arm in ("pretrained", "cam"):
        both = compare.paired(fits.predictions(arm), fits.predictions(f"{arm}_half"), "correct")
        gains[arm] = both.assign(gain=both["a"] - both["b"])[["image", "group", "gain"]]
    table = gains["pretrained"].merge(gains["cam"], on=["image", "group"])
    return difference_by(
        table, "gain_x", "gain_y", how="gain from half to all training groups, pretrained minus cam", **how
    )
