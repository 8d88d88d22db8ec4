"""A quality gate: which photographs are too blurred to be judged, and what refusing them is worth.

Study 3's source asks for such a tool and does not build it. The gate reads one number of a picture, refuses what lies
below a threshold that sharp training pictures set, and is measured on others: does it tell blurred from sharp, and is
the network more often right on what it lets pass?

Tables have a row an image (network) and kernel: image, group, part, kernel (1: as taken), a column a measure, and for
what the gate is worth `correct`, whether the network was right on the picture under that blur.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from studylib.data.blur import KERNELS, blur, check_images
from studylib.data.spectrum import high_frequency_share
from studylib.data.transforms import to_grey
from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_between,
    exact,
    mean_by,
    of_columns,
    statistic_by,
)
from studylib.metrics.resampling import numbers, only
from studylib.metrics.selective import (
    accepted_accuracy,
    accepted_gain,
    accuracy_coverage_area,
    accuracy_coverage_gain,
    selective_accuracy,
)

SHARP = 1  # the kernel that changes nothing
REJECT = 0.05  # share of sharp training images that a gate may refuse (statement 3.64)
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def laplacian_variance(images: np.ndarray) -> np.ndarray:
    """Return the variance over pixels of the Laplacian of brightness, white being 1, (N,) (Pech-Pacheco 2000).

    images: uint8, or floats in [0, 1], (N, H, W) or (N, H, W, 3). Kernel 0 1 0, 1 -4 1, 0 1 0; borders mirrored. It
    grows with the square of contrast and depends on the size of the picture: `at_scale` brings all to one.
    """
    check_images(images)
    white = 255 if images.dtype == np.uint8 else 1
    grey = (to_grey(np.asarray(image, np.float32)) / white for image in images)
    return np.array([cv2.Laplacian(x, cv2.CV_32F, ksize=1).astype(float).var() for x in grey])


MEASURES = {"laplacian": laplacian_variance, "high_frequency": high_frequency_share}


def at_scale(images: np.ndarray, side: int) -> np.ndarray:
    """Return images (N, H, W[, 3]) shrunk, by averaging, to a longer side of `side` pixels.

    ValueError where they are smaller: enlarged pictures are never sharp, which no gate should learn.
    """
    check_images(images)
    height, width = images.shape[1:3]
    longer = max(height, width)
    if side > longer:
        raise ValueError(f"images of {height} x {width} pixels are smaller than the gate's scale of {side}; lower it")
    size = (max(1, round(width * side / longer)), max(1, round(height * side / longer)))
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def measured(
    images: np.ndarray, columns: Mapping[str, np.ndarray], kernels: Sequence[int] = KERNELS, side: int = 0
) -> pd.DataFrame:
    """Return a row an image and kernel: `columns` (image, group, part, ...), kernel, every measure of sharpness.

    images: (N, H, W[, 3]), uint8 or floats in [0, 1]; blurred at their own size (`data.blur`), then measured at a
    longer side of `side` pixels (0: their own).
    """
    short = [name for name, values in columns.items() if len(values) != len(images)]
    if short:
        raise ValueError(f"column '{short[0]}' has {len(columns[short[0]])} values for {len(images)} images")
    tables = []
    for kernel in kernels:
        pixels = blur(images, kernel)
        pixels = at_scale(pixels, side) if side else pixels
        values = {name: measure(pixels) for name, measure in MEASURES.items()}
        tables.append(pd.DataFrame({**columns, "kernel": kernel, **values}))
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Gate:
    """Accepts a picture whose `measure` is at least `threshold`; one that has no value is refused.

    Fitted on `n` sharp training images of `groups` groups, of which at most the share `reject` lies below.
    """

    measure: str
    threshold: float
    reject: float
    n: int
    groups: int

    def accepts(self, table: pd.DataFrame) -> np.ndarray:
        """Return whether each row is let pass, bool (n,)."""
        return numbers(table, self.measure) >= self.threshold  # NaN >= x is False


def fit_gate(table: pd.DataFrame, measure: str = "laplacian", reject: float = REJECT, group: str = "group") -> Gate:
    """Return the gate whose threshold refuses at most the share `reject` of sharp images of the part "train".

    Other parts and kernels are not looked at. ValueError for a share outside [0, 1), or where no such image has a
    value.
    """
    if not 0 <= reject < 1:
        raise ValueError(f"reject is {reject}; it is the share of sharp images that may be refused, from 0 to below 1")
    known = np.isfinite(numbers(table, measure))
    rows = table[(only(table, "part") == "train") & (only(table, "kernel") == SHARP) & known]
    if rows.empty:
        raise ValueError(
            f"no row has part 'train', kernel {SHARP} and a finite '{measure}' (parts: "
            f"{', '.join(sorted(map(str, table['part'].unique())))}); a gate is fitted on sharp training images"
        )
    one = rows.drop_duplicates("image")  # several networks saw the same picture
    threshold = float(np.quantile(numbers(one, measure), reject, method="lower"))
    return Gate(measure, threshold, reject, len(one), only(one, group).nunique())


def tells_blur(table: pd.DataFrame, gate: Gate, **how) -> dict[str, Estimate]:
    """Return, of the part "test", AUROC of sharp against blurred by each kernel, and the share refused at each.

    how: group, unit, resamples, seed of the intervals. Undefined sharpness is left out of AUROCs, which say how many,
    and refused by the gate.
    """
    rows = _test(table).drop_duplicates(["image", "kernel"])
    rows = rows.assign(sharp=(rows["kernel"] == SHARP).astype(int), refused=(~gate.accepts(rows)).astype(float))
    name, found = f"gate.{gate.measure}", {}
    found[f"{name}.threshold"] = exact(gate.threshold, n=gate.n, unit="image", how=_fitted(gate))
    for kernel in _kernels(rows):
        text = f"share refused, {_blurred(kernel)}, {_fitted(gate)}{_undefined(rows[rows['kernel'] == kernel], gate)}"
        found[f"{name}.refused.k{kernel}"] = mean_by(rows[rows["kernel"] == kernel], "refused", how=text, **how)
        if kernel != SHARP:
            both = rows[rows["kernel"].isin((SHARP, kernel))]
            text = f"AUROC of {gate.measure} for sharp pictures against the same with {_blurred(kernel)}"
            found[f"{name}.auroc.k{kernel}"] = auroc_by(both, "sharp", gate.measure, how=text, **how)
    return found


def refused_by_label(table: pd.DataFrame, gate: Gate, **how) -> dict[str, Estimate]:
    """Return the share refused of sharp test images of label 1 minus of label 0: a gate that sends one class home more
    often changes who is judged, whatever it does for accuracy. table: with `label`, 0 or 1.
    """
    rows = _test(table).drop_duplicates(["image", "kernel"])
    rows = rows[rows["kernel"] == SHARP].assign(refused=lambda t: (~gate.accepts(t)).astype(float))
    text = f"share of sharp pictures refused, label 1 minus label 0, {_fitted(gate)}"
    ones, zeros = (rows[only(rows, "label") == label] for label in (1, 0))
    return {f"gate.{gate.measure}.refused.by_label": difference_between(ones, zeros, "refused", how=text, **how)}


def worth(table: pd.DataFrame, gate: Gate, name: str = "", **how) -> dict[str, Estimate]:
    """Return what a gate is worth on the part "test", all its kernels together: share accepted, accuracy of all and of
    the accepted, their difference, and the area under accuracy against coverage, above that of a gate by lot.

    table: with `correct`; a stream of pictures as the rows mix them (pass `table[table["kernel"].isin(...)]` for
    another mix). name: put before the names of the estimates. Where all are refused the accuracy is undefined.
    """
    rows = _scored(_test(table), gate)
    said = f"{_fitted(gate)}{_undefined(rows, gate)}"
    made = {
        "accuracy_all": (of_columns(_accuracy, "correct", "accepted"), "accuracy of all pictures"),
        "accuracy_accepted": (of_columns(accepted_accuracy, "correct", "accepted"), "accuracy of accepted pictures"),
        "accuracy_gain": (of_columns(accepted_gain, "correct", "accepted"), "accuracy of accepted minus of all"),
        "area": (of_columns(accuracy_coverage_area, "correct", "score"), "area under accuracy against coverage"),
        "area_gain": (of_columns(accuracy_coverage_gain, "correct", "score"), "that area minus accuracy of all"),
        "area_possible": (of_columns(accuracy_coverage_area, "correct", "correct"), "area if right ones came first"),
    }
    stem = ".".join(filter(None, ("gate", gate.measure, name)))
    found = {f"{stem}.accepted": mean_by(rows, "accepted", how=f"share accepted, {said}", **how)}
    return found | {
        f"{stem}.{key}": statistic_by(rows, measure, how=f"{text}, {said}", **how)
        for key, (measure, text) in made.items()
    }


def coverage_curve(
    table: pd.DataFrame, gate: Gate, coverages: Iterable[float] = COVERAGES, **how
) -> tuple[pd.DataFrame, dict[str, Estimate]]:
    """Return accuracy of the sharpest share of the part "test" at each coverage, as a table (coverage, accuracy, low,
    high, n, groups) and as estimates `gate.<measure>.coverage.c<per cent>`.
    """
    rows, found = _scored(_test(table), gate), {}
    for coverage in coverages:
        text = f"accuracy of the sharpest {coverage:.0%} by {gate.measure}{_undefined(rows, gate)}"
        measure = of_columns(selective_accuracy, "correct", "score", coverage=coverage)
        found[coverage] = statistic_by(rows, measure, how=text, **how)
    points = [(c, e.value, e.low, e.high, e.n, e.groups) for c, e in found.items()]
    curve = pd.DataFrame(points, columns=["coverage", "accuracy", "low", "high", "n", "groups"]).set_index("coverage")
    return curve, {f"gate.{gate.measure}.coverage.c{round(100 * c)}": e for c, e in found.items()}


def _test(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[only(table, "part") == "test"]
    if rows.empty:
        raise ValueError("no row has part 'test'; a gate is measured on images that it was not fitted on")
    return rows


def _scored(rows: pd.DataFrame, gate: Gate) -> pd.DataFrame:
    """With `accepted`, and `score`: sharpness, the lowest of all where it is undefined, as the gate takes it."""
    sharpness = numbers(rows, gate.measure)
    score = np.where(np.isfinite(sharpness), sharpness, -np.inf)
    return rows.assign(accepted=gate.accepts(rows).astype(float), score=score)


def _kernels(rows: pd.DataFrame) -> list[int]:
    return sorted(rows["kernel"].unique().tolist())


def _accuracy(correct: np.ndarray, accepted: np.ndarray, weights: np.ndarray | None = None) -> float:
    return accepted_accuracy(correct, np.ones(len(accepted)), weights)


def _blurred(kernel: int) -> str:
    return "no blur" if kernel == SHARP else f"blur {kernel}"


def _fitted(gate: Gate) -> str:
    return f"{gate.measure} threshold that refuses {gate.reject:.0%} of {gate.n:,} sharp training images"


def _undefined(rows: pd.DataFrame, gate: Gate) -> str:
    count = int((~np.isfinite(numbers(rows, gate.measure))).sum())
    return f", {count} of undefined sharpness refused" if count else ""
