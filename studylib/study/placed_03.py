"""Where study 3's maps lie by the rule that stands in for its expert, beside a bump in the middle; whether that rule
would notice a shortcut; and the sheet for a real expert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain
from studylib.cam.regions import find_regions
from studylib.metrics import floors
from studylib.metrics.intervals import Estimate, difference_between
from studylib.study import misplacement, placement
from studylib.study.fits import Fits
from studylib.study.heads_03 import BEST, Head
from studylib.study.mapping import BATCH, as_images, held_out
from studylib.study.maps_03 import CUT, Looked, explained, large, said, target_words
from studylib.study.segmenting import LAYER
from studylib.study.study import Study
from studylib.study.train import Workshop

SINGLE = ("P6",)  # the single level that the source sets beside its best choice
SHEET = 12  # photographs on a review sheet
METHODS = ("CAM", "CRM")


def judged(looked: Sequence[Looked], heads: Sequence[Mapping[tuple[str, ...], Head]]) -> pd.DataFrame:
    """The rule's verdicts on images that the best head named right: `cam` and `crm` of it, `crm_p6` of the head on P6,
    and `centre`, a bump in the middle with an area as large as CRM's. One row an image, network and map.
    """
    tables = []
    for seen, made in zip(looked, heads, strict=True):
        e = explained(seen, made[BEST], ("cam", "crm"))
        right = said(e, seen.of.labels[seen.rows])["correct"] == 1
        if not (right & seen.masks.any((1, 2))).any():
            continue
        part, maps = seen.where(right), {m: large(e, m, seen.side)[right] for m in ("cam", "crm")}
        maps["crm_p6"] = large(explained(part, made[SINGLE], ("crm",)), "crm", seen.side)
        methods = {name: (grid, find_regions(grid, "fraction", CUT).masks) for name, grid in maps.items()}
        areas = methods["crm"][1].sum((1, 2))
        middle = floors.centred_gaussian((1, seen.side, seen.side))[0]
        methods["centre"] = placement.constant(middle, len(part.rows), areas=areas)
        tables.append(placement.judged(methods, part.masks, **part.table()))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def rates(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Shares of every verdict by map, and the differences that the source states: CAM minus CRM, the head on P6 minus
    the best one, CRM minus a bump in the middle.
    """
    if table.empty:
        return {}
    found = misplacement.rates(table, **how)
    for name, a, b in (("cam_minus_crm", "cam", "crm"), ("p6_minus_p3p6p7", "crm_p6", "crm"),
                       ("crm_minus_centre", "crm", "centre")):  # fmt: skip
        found[f"placement.{name}.misplaced"] = misplacement.difference(table, a, b, **how)
    return found


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """Exact numbers as the source counts them, a row a map; with McNemar's p of CAM against CRM by image."""
    if table.empty:
        return pd.DataFrame({"why": ["this set has no outlines to place a map by"]}).rename_axis("map")
    found = misplacement.counted(table)
    p = misplacement.compared(table, "cam", "crm").p
    return found.assign(**{"CAM against CRM, p": [p if name == "cam" else np.nan for name in found.index]})


def shortcut(workshop: Workshop, fits: Fits, arm: str = "marker", clean: str = "joint", **how) -> dict[str, Estimate]:
    """How often the rule calls CAM of not treatable meaningful: of a network that rests on letters in a corner minus of
    a clean one, each on test images that it calls so.
    """
    tables = []
    for name in (arm, clean):
        found = []
        for t in fits.select(name):
            pictures, model = held_out(workshop, t), t.fit.model()
            spec, dataset = t.fit.spec, workshop.dataset(t.run.arm.variant)
            words = target_words(workshop, dataset.name)
            rows = np.flatnonzero(workshop.split(t.run).part == "test")
            roi = workshop.named_regions(dataset, spec.image_size, spec.crop, words)[rows] > 0
            with torch.inference_mode():
                keep = model(as_images(pictures.pixels))[:, -1].numpy() > 0
            if not keep.any():
                continue
            e = explain(model, as_images(pictures.pixels[keep]), "cam", 1, LAYER, batch_size=BATCH)
            maps = e.upsampled("cam", relu=False, scale=None).numpy()
            row = {"image": pictures.names[keep], "group": pictures.groups[keep], "repeat": t.run.repeat}
            regions = find_regions(maps, "fraction", CUT).masks
            found.append(placement.judged({"cam": (maps, regions)}, roi[keep], **row))
        table = misplacement.flagged(pd.concat(found, ignore_index=True)) if found else pd.DataFrame(
            {"group": [], "meaningful": []})  # fmt: skip
        tables.append(table.assign(group=name + " " + table["group"].astype(str)))
    text = "share called meaningful, CAM of a network that rests on letters minus of a clean one"
    return {"shortcut.meaningful_minus_clean": difference_between(*tables, "meaningful", how=text, **how)}


def review_sheet(study: Study, looked: Looked, head: Head) -> None:
    """Write the sheet for a real expert into the report's folder `review` (of real people it stays apart): maps of both
    methods in random order, blinded, images that the head named right. Says where it is and how it is read back.
    """
    from studylib.study.review_sheet import Item, write_review

    e = explained(looked, head, ("cam", "crm"))
    told = said(e, looked.of.labels[looked.rows])
    classes = study.workshop.labels(study.dataset())[1]
    maps = {name: large(e, name.lower(), looked.side) for name in METHODS}
    sound = np.all([m.max((1, 2)) > 0 for m in maps.values()], 0) & (told["correct"] == 1)
    items = [
        Item(
            looked.of.names[looked.rows[i]], looked.pixels[i], {name: m[i] for name, m in maps.items()},
            looked.of.groups[looked.rows[i]], {"class": classes[told["predicted"][i]].replace("_", " ")},
        )
        for i in np.flatnonzero(sound)[:SHEET]
    ]  # fmt: skip
    if not items:
        print("no photograph was named right, so there is nothing to review")
        return
    question = "Where should one look to judge whether ablation can treat this cervix, and does the colour lie there?"
    with study.apart("review") as folder:
        write_review(folder / "sheet", items, seed=study.seed, title="Two maps of each cervix", question=question)
    print(f"a review sheet of {len(items)} photographs: review/sheet/ in the report's folder, key review/sheet_key.csv")
    print("read it back: python -m studylib review read VERDICTS.csv [VERDICTS2.csv] --key sheet_key.csv")
