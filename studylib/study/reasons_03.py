"""Why a phantom's cervix is not treatable, and whether head and map know it: accuracy by reason, and how often a map
touches the structure that decided the label. And networks of which it is known what they rest on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain
from studylib.metrics import floors, localisation
from studylib.metrics.estimates import at_the_edge
from studylib.metrics.intervals import Estimate, difference_between, difference_by, mean_by
from studylib.study.fits import Fits
from studylib.study.heads_03 import BEST
from studylib.study.mapping import BATCH, TOLERANCE, as_images, held_out
from studylib.study.maps_03 import Looked, averaged, explained, large, region_columns, said
from studylib.study.scrutiny import cue_masks
from studylib.study.segmenting import LAYER
from studylib.study.train import Workshop

RARE = ("cervix_distorted", "vaginal_wall_close", "lesion_too_large", "suspect_invasion")  # source, 4.3.2
METHODS = ("cam", "crm", "crm_mse_softmax")
CUES = {"true": "wall", "marker": "marker", "outside": "reflection", "frame": "frame", "either": "either"}


def reason_table(
    workshop: Workshop, frozens, heads, looked: Sequence[Looked], levels=BEST, methods=METHODS
) -> pd.DataFrame:
    """Test images that are not treatable, by reason: named right or not, and of each method's map whether it peaks on
    what decided the label (tolerance of the pointing game), its energy there minus the area, and the share covered by
    its region. One row an image, network and method.
    """
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        dataset = workshop.dataset(seen.of.trained.run.arm.variant)
        why = dataset.table["reason"].to_numpy().astype(str)[seen.rows]
        at = cue_masks(workshop, seen.of.trained, seen.of.trained.run.arm.variant, "reason_mask")
        at = at[np.searchsorted(seen.of.rows("test"), seen.rows)]
        keep = (why != "") & at.any((1, 2))
        if not keep.any():
            continue
        part, masks = seen.where(keep), at[keep]
        e = explained(part, made[levels], methods)
        row = part.table() | said(e, part.of.labels[part.rows]) | {"reason": why[keep]}
        for method in methods:
            maps = large(e, method, part.side)
            columns = {
                "touches": localisation.pointing_game(maps, masks, TOLERANCE * part.side),
                "energy": localisation.energy_inside(maps, masks),
                "area": masks.mean((1, 2)),
                "covered": region_columns(maps, masks)["coverage"],
            }
            tables.append(pd.DataFrame(row | columns | {"method": method}))
    return pd.concat(tables, ignore_index=True)


def by_reason(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """For each reason: share named not treatable, and of CAM and CRM the share of images whose map peaks on what
    decided the label; over all of them, named right or wrong.
    """
    found = {}
    for reason, some in table.groupby("reason"):
        rows = averaged(some[some["method"] == "crm"], ["correct"])
        found[f"reasons.{reason}.accuracy"] = at_the_edge(
            mean_by(rows, "correct", how=f"named not treatable, {reason.replace('_', ' ')}", **how)
        )
        for method in ("cam", "crm"):
            rows = averaged(some[some["method"] == method], ["touches"])
            text = f"{method} peaks on what decided the label, {reason.replace('_', ' ')}"
            found[f"reasons.{reason}.{method}.touches"] = at_the_edge(mean_by(rows, "touches", how=text, **how))
    return found


def reason_summary(found: Mapping[str, Estimate]) -> pd.DataFrame:
    """`by_reason` for the page, a row a reason."""
    rows: dict[str, dict[str, str]] = {}
    for name, e in found.items():
        _, reason, *rest = name.split(".")
        words = {"accuracy": "named not treatable", "cam.touches": "CAM on it", "crm.touches": "CRM on it"}[
            ".".join(rest)
        ]
        row = rows.setdefault(reason.replace("_", " "), {"images": str(e.n)})
        row[words] = f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("reason")


def rare_against_common(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """CRM's peak off what decided the label: the reasons that the source calls few, minus the others; named right."""
    rows = table[(table["method"] == "crm") & (table["correct"] == 1)].assign(off=lambda t: 1 - t["touches"])
    rare = rows["reason"].isin(RARE)
    text = "CRM peaks off what decided the label, rare reasons minus the others, named right"
    return {
        "reasons.rare_minus_common.out_of_region": difference_between(rows[rare], rows[~rare], "off", how=text, **how)
    }


def control(workshop: Workshop, fits: Fits, arm: str = "wall", **how) -> dict[str, Estimate]:
    """The family whose label sits at the vaginal wall: does CAM of not treatable find the wall that closes in, better
    than a bump in the middle, and than os and zone are marked?
    """
    tables = []
    for t in fits.select(arm):
        pictures = held_out(workshop, t)
        at = cue_masks(workshop, t, t.run.arm.variant, "reason_mask")
        model = t.fit.model()
        with torch.inference_mode():
            keep = at.any((1, 2)) & (model(as_images(pictures.pixels))[:, -1].numpy() > 0)
        if not keep.any():
            continue
        e = explain(model, as_images(pictures.pixels[keep]), "cam", 1, LAYER, batch_size=BATCH)
        maps = e.upsampled("cam", relu=False, scale=None).numpy()
        row = {"image": pictures.names[keep], "group": pictures.groups[keep], "label": 1}
        columns = {
            "map": localisation.pixel_auprc(maps, at[keep]),
            "centre": localisation.pixel_auprc(floors.centred_gaussian(at[keep].shape), at[keep]),
        }
        tables.append(pd.DataFrame(row | columns))
    rows = averaged(pd.concat(tables, ignore_index=True), ["map", "centre"]) if tables else pd.DataFrame(
        columns=["image", "group", "map", "centre"])  # fmt: skip
    text = "AUPRC of the wall that decided the label, CAM minus a bump in the middle"
    return {"control.wall.auprc_minus_centre": difference_by(rows, "map", "centre", how=text, **how)}


def revealing(workshop: Workshop, fits: Fits, cue: str, most: int) -> pd.DataFrame:
    """Density of CAM and CRM on a cue: energy there over its area; pictures that carry the cue, set free of the class,
    and are called not treatable by the network that learned it. One row a picture, network and method.
    """
    tables = []
    for t in fits.select(CUES[cue]):
        own = t.run.arm.variant
        variant = own if cue in ("true", "either") else f"{own}_free"
        pictures = held_out(workshop, t, variant)
        at = cue_masks(workshop, t, variant, "reason_mask" if cue == "true" else "cue_mask")
        model, keep = t.fit.model(), at.any((1, 2))
        with torch.inference_mode():
            keep &= model(as_images(pictures.pixels))[:, -1].numpy() > 0
        keep &= np.cumsum(keep) <= most
        if not keep.any():
            continue
        e = explain(model, as_images(pictures.pixels[keep]), METHODS, 1, LAYER, batch_size=BATCH)
        row = {"image": pictures.names[keep], "group": pictures.groups[keep], "area": at[keep].mean((1, 2))}
        for method in METHODS:
            maps = e.upsampled(method, relu=False, scale=None).numpy()
            energy = localisation.energy_inside(maps, at[keep])
            columns = {"energy": energy, "density": energy / row["area"], "method": method, "repeat": t.run.repeat}
            tables.append(pd.DataFrame(row | columns))
    none = pd.DataFrame(columns=["image", "group", "area", "energy", "density", "method", "repeat"])
    return pd.concat(tables, ignore_index=True) if tables else none
