"""Study 3's gates of calibration, sanity and stability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from studylib.metrics import calibration
from studylib.metrics.intervals import Estimate, absolute_sum_by, of_columns
from studylib.study import audit
from studylib.study.fits import Fits
from studylib.study.heads_03 import BEST, Frozen, Head, everywhere, predictions
from studylib.study.likeness import agreement, between_networks, excesses, named, perturbed, sanity_tables
from studylib.study.segmenting import common
from studylib.study.study import Study


def calibrated(
    frozens: Sequence[Frozen], heads: Sequence[Mapping[tuple[str, ...], Head]], levels=BEST, **how
) -> tuple[dict[str, Estimate], dict[str, pd.DataFrame]]:
    """ECE of the likeliest class before and after one temperature fitted on validation images, and the tables behind
    the reliability diagram.
    """
    plain, scaled = everywhere(frozens, heads, levels), []
    for of, made in zip(frozens, heads, strict=True):
        held = of.rows("validation")
        found = calibration.temperature(made[levels].logits(of.means[held]), of.labels[held])
        rows = predictions(of, made[levels])
        logits = made[levels].logits(of.means[of.rows("test")])
        scaled.append(
            rows.assign(p=calibration.probabilities_at(logits, found)[:, 1] if np.isfinite(found) else np.nan)
        )
    estimates, tables = {}, {}
    for name, table in (("", plain), ("_scaled", pd.concat(scaled, ignore_index=True))):
        both = table[["p"]].assign(rest=1 - table["p"])[["rest", "p"]].to_numpy()
        right, top = calibration.top_label(table["label"], both)
        text = "ECE of the likeliest class, 15 bins of equal mass" + (", one temperature" if name else "")
        gaps = of_columns(calibration.gaps, "right", "top")
        rows = table.assign(right=right, top=top)
        estimates[f"calibration.ece{name}"] = absolute_sum_by(rows, gaps, how=text, **how)
        tables["with temperature" if name else "as fitted"] = calibration.reliability(right, top, bins=8)
    return estimates, tables


def gates(study: Study, fits: Fits, arm: str, lots: str) -> tuple[list[audit.Gate], list[audit.Gate]]:
    """Gates 3 and 4 on the pyramid that was trained with one pooled head: its own CAM with weights randomised and with
    labels by lot, another seed, small changes of the image. Recorded in the study.
    """
    workshop, most, how = study.workshop, study.profile.steps, study.how
    tested = sanity_tables(workshop, fits, arm, arm, lots, networks=1, most=most)
    steps = tested.pop("layers").groupby("layer", sort=False).mean(numeric_only=True).drop(columns="repeat")
    study.table("cascade", steps, "Likeness to the trained map, from the head down")
    likeness = {name: excesses(rows, name.replace("_", " "), **how) for name, rows in tested.items()}
    study.record_all(named("sanity", likeness), "Likeness above that of 50 random pairs")
    gate_3 = audit.sanity_gate(likeness["cascade"], likeness["independent"], likeness["labels_by_lot"])
    same = fits.select(arm)[:3]
    seeds = between_networks(same, same, common(workshop, same[0], most))
    agreed = study.record("stability.seeds.spearman", agreement(seeds, f"{len(same)} networks", **how))
    changed = perturbed(workshop, fits, arm, most, **how)
    study.record_all({f"stability.{name}.spearman": e for name, e in changed.items()}, "Small changes of the image")
    repeated = excesses(seeds, "another seed", **how)
    return gate_3, audit.stability_gate(agreed, repeatability=repeated, perturbed=changed)
