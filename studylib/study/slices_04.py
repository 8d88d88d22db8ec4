"""The slices of study 4 before any network: who, which plane, how large, how visible, and what a crop would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from studylib.data.dataset import Dataset
from studylib.data.splits import Split, crossing
from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate, difference_by, mean_by
from studylib.study.fits import Fits
from studylib.study.segmenting import BAD, SHARE, averaged
from studylib.study.train import Workshop

PLANES = ("plane", "plane_inferred")  # columns of phantoms, and of the real set, where it is ours


def plane_of(dataset: Dataset) -> np.ndarray:
    """The plane of each slice, as the table names it; "" where no column does."""
    for column in PLANES:
        if column in dataset.table:
            return dataset.table[column].to_numpy().astype(str)
    return np.full(len(dataset), "")


def by_class(workshop: Workshop, dataset: Dataset) -> pd.DataFrame:
    """Slices, people and median area of the tumour (per cent of the picture) of each class."""
    rows = areas(workshop, dataset).assign(name=dataset.table["label"].to_numpy())
    found = rows.groupby("name").agg(slices=("area", "size"), people=("group", "nunique"), median=("area", "median"))
    found["median area, %"] = 100 * found.pop("median")
    return found.loc[list(workshop.labels(dataset)[1])]


def areas(workshop: Workshop, dataset: Dataset) -> pd.DataFrame:
    """Area of each tumour as a share of the picture, mask as it is kept; columns image, group, label, area."""
    area = np.array([(dataset.mask(i) == 1).mean() for i in range(len(dataset))])
    row = {"image": dataset.table["image"].to_numpy().astype(str), "group": workshop.group_of(dataset)}
    return pd.DataFrame(row | {"label": workshop.labels(dataset)[0], "area": area})


def whole(workshop: Workshop, dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Masks, bool, and pixels, uint8, of every slice at the study's size, (N, S, S) each."""
    size = workshop.profile.image_size
    return workshop.masks(dataset, size, "none"), workshop.pixels(dataset, size, "none")[0]


def examples(dataset: Dataset, classes: Sequence[str]) -> tuple[list[int], list[str]]:
    """The first slice of each class and plane by name. -> rows, titles"""
    table = pd.DataFrame({"image": dataset.table["image"], "label": dataset.table["label"], "plane": plane_of(dataset)})
    first = table.sort_values("image", kind="stable").groupby(["label", "plane"], sort=True).head(1)
    first = first.sort_values(["label", "plane"], key=lambda c: c.map({n: i for i, n in enumerate(classes)}).fillna(0)
                              if c.name == "label" else c, kind="stable")  # fmt: skip
    return first.index.tolist(), [f"{row.label}, {row.plane}" for row in first.itertuples()]


def planes(dataset: Dataset) -> pd.DataFrame:
    """Slices by plane and class."""
    return pd.crosstab(plane_of(dataset), dataset.table["label"].to_numpy(), rownames=["plane"], colnames=[None])


def shared_people(dataset: Dataset, splits: Mapping[str, Split], group: str) -> pd.DataFrame:
    """How many test slices of each split have a slice of their person in training."""
    rows = {}
    for name, split in splits.items():
        counted = crossing(dataset, split, group, near_duplicates=False).set_index("kind").loc["group"]
        rows[name] = {"test slices": counted["test_images"], "person in training": counted["test_related"],
                      "share": counted["share"], "how": split.how}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def weights_of(fits: Fits) -> pd.DataFrame:
    """What each arm is and where its pretrained weights came from."""
    rows = {t.run.arm.name: {"what it is": t.run.arm.why, "weights": t.fit.weights_from} for t in fits}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")


def crop_ceiling(workshop: Workshop, dataset: Dataset, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """The IoU that 5 % of the picture could reach after Resize 256 and CenterCrop 224, and that minus the full frame's;
    tumours that the crop cuts away are undefined and counted.
    """
    whole = areas(workshop, dataset)
    crop = workshop.masks(dataset, workshop.profile.image_size, "centre").mean((1, 2))
    rows = whole.assign(
        whole=localisation.attainable_iou(whole["area"], SHARE), crop=localisation.attainable_iou(crop, SHARE)
    )
    found = {"crop.attainable.mean.all": mean_by(rows, "crop", how="attainable IoU of 5 %, centre crop", **how)}
    for number, name in enumerate(classes):
        some = rows[rows["label"] == number].assign(above=lambda t: (t["crop"] > 0.5).astype(float))
        found[f"crop.attainable.above_05.{name}"] = mean_by(
            some, "above", how="5 % could exceed 0.5, centre crop", **how
        )
    text = "attainable IoU, centre crop minus full frame"
    return found | {"crop.attainable_minus_full": difference_by(rows, "crop", "whole", how=text, **how)}


def visible(
    workshop: Workshop, dataset: Dataset, table: pd.DataFrame, floors: pd.DataFrame, **how
) -> dict[str, Estimate]:
    """Whether the map misses tumours that one can see: share of misses (IoU below 0.01) among the third of slices named
    right with the highest contrast between tumour and surroundings, the third with the lowest beside it, and the misses
    of the brightest 5 % in the same slices.
    """
    names = dataset.table["image"].to_numpy().astype(str)
    contrast = pd.DataFrame({"image": names, "contrast": contrast_of(workshop, dataset)})
    bright = floors[(floors["map"] == "brightest") & (floors["correct"] == 1)].dropna(subset=["iou_5"])
    bright = averaged(bright.assign(bright=(bright["iou_5"] < BAD).astype(float)), ["bright"])
    rows = table[table["correct"] == 1].dropna(subset=["iou_p95"])
    rows = averaged(rows.assign(missed=(rows["iou_p95"] < BAD).astype(float)), ["missed"])
    rows = rows.merge(contrast, on="image").merge(bright[["image", "bright"]], on="image").dropna()
    third = pd.qcut(rows["contrast"].rank(method="first"), 3, labels=False)
    top, low = rows[third == 2], rows[third == 0]
    return {
        "visible.misses_top_contrast_third": mean_by(top, "missed", how="IoU < 0.01, best visible third", **how),
        "visible.misses_low_contrast_third": mean_by(low, "missed", how="IoU < 0.01, least visible third", **how),
        "visible.brightest_misses_top_third": mean_by(
            top, "bright", how="brightest 5 % miss, best visible third", **how
        ),
    }


def contrast_of(workshop: Workshop, dataset: Dataset, ring: float = 8 / 224) -> np.ndarray:
    """Contrast to noise of each tumour: mean brightness inside minus in a ring around it, over the ring's deviation."""
    import cv2

    masks, pixels = whole(workshop, dataset)
    reach = 2 * round(ring * masks.shape[-1]) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    found = np.full(len(masks), np.nan)
    for i, mask in enumerate(masks):
        around = (cv2.dilate(mask.astype(np.uint8), disc) > 0) & ~mask
        if mask.any() and around.any() and (spread := pixels[i][around].std()) > 0:
            found[i] = (pixels[i][mask].mean() - pixels[i][around].mean()) / spread
    return found
