"""What study 5's source says of ISIC 2019, recomputed from the release's own counts: no image is needed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from studylib.metrics.intervals import Estimate, exact

# Images of each class in ISIC_2019_Training_GroundTruth.csv; UNK is a column without an image
IMAGES = {
    "NV": 12_875,
    "MEL": 4_522,
    "BCC": 3_323,
    "BKL": 2_624,
    "AK": 867,
    "SCC": 628,
    "VASC": 253,
    "DF": 239,
    "UNK": 0,
}
LABELS = ("image", "MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")  # columns of the table of labels
METADATA = ("image", "age_approx", "anatom_site_general", "lesion_id", "sex")
STATED = 0.82  # the source's validation accuracy
TESTED = 0.2  # of the images, its validation part


def counts(images: Mapping[str, int] = IMAGES) -> dict[str, Estimate]:
    """Rows, columns after joining both tables on `image`, classes with an image, the largest share, and the rank by
    size of the classes that the source calls common or rare.
    """
    total, there = sum(images.values()), [n for n in images.values() if n]
    ranked = sorted(images, key=images.get, reverse=True)
    joined = len(dict.fromkeys((*LABELS, *METADATA)))
    how = "counts of the release"
    found = {
        "release.rows": exact(float(total), n=total, how=how),
        "release.columns": exact(float(joined), n=1, how=f"{len(LABELS)} + {len(METADATA)} columns that share `image`"),
        "release.classes": exact(float(len(there)), n=len(images), how="classes that hold an image"),
        "release.majority": exact(max(there) / total, n=total, how="share of the commonest class"),
    }
    for name in ("MEL", "BKL", "SCC"):
        found[f"release.rank.{name.lower()}"] = exact(
            float(ranked.index(name) + 1), n=len(there), how=f"rank of {name} by size"
        )
    low, high = balanced_range(STATED, [round(TESTED * n) for n in there])
    text = f"balanced accuracy that goes with accuracy {STATED:g} on a stratified fifth"
    return found | {
        "release.balanced.low": exact(low, n=round(TESTED * total), how=f"lowest {text}"),
        "release.balanced.high": exact(high, n=round(TESTED * total), how=f"highest {text}"),
    }


def balanced_range(accuracy: float, sizes: list[int]) -> tuple[float, float]:
    """Lowest and highest balanced accuracy that an accuracy allows on classes of these sizes: all errors in the
    smallest classes, or all in the largest.
    """
    wrong, order = round((1 - accuracy) * sum(sizes)), sorted(sizes)
    found = []
    for row in (order, order[::-1]):
        left, recalls = wrong, []
        for n in row:
            taken = min(left, n)
            recalls.append(1 - taken / n)
            left -= taken
        found.append(float(np.mean(recalls)))
    return found[0], found[1]


def table(images: Mapping[str, int] = IMAGES) -> pd.DataFrame:
    """Images and share of every class, by size: the source's figure as numbers."""
    total = sum(images.values())
    rows = {name: {"images": n, "share, %": 100 * n / total} for name, n in sorted(images.items(), key=lambda x: -x[1])}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("class")
