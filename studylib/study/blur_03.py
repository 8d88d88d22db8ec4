"""What blur takes from study 3's heads and where it moves their maps; what a head that saw blur, or a sharpened image,
regains; and what a gate that refuses blurred photographs is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain
from studylib.cam.regions import find_regions
from studylib.data.blur import KERNELS, blur, scaled_sigma
from studylib.data.spectrum import share_lost
from studylib.metrics.intervals import Estimate, difference_by, exact, mean_by, statistic_by
from studylib.metrics.sanity import similarity
from studylib.study import degradation, sharpness
from studylib.study.compare import paired
from studylib.study.degradation import SHARP
from studylib.study.heads_03 import BEST, Change, Frozen, Head, converged, level_means, predictions
from studylib.study.mapping import BATCH
from studylib.study.maps_03 import CUT, Looked, averaged
from studylib.study.segmenting import LAYER
from studylib.study.train import Workshop

BLURS = KERNELS[1:]  # (19, 19) and (49, 49)
AMOUNT = 1.5  # of unsharp masking: how much of what a second blur takes is given back
ELSEWHERE = (1.12, 0.95, 0.78)  # red, green, blue under another clinic's lamp


def sharpened(images: torch.Tensor, kernel: int) -> torch.Tensor:
    """Blurred images (N, 3, S, S) after unsharp masking with the blur that they had: x + AMOUNT (x - blur(x))."""
    under = blur(images, kernel)
    return (under + AMOUNT * (under - blur(under, kernel))).clamp(0, 1)


def another_clinic(images: torch.Tensor) -> torch.Tensor:
    """The same women under a warmer, weaker lamp and a lens that is a little out of focus."""
    shade = torch.tensor(ELSEWHERE, dtype=images.dtype).view(3, 1, 1)
    return blur((images * shade * 0.85).clamp(0, 1), 9)


@dataclass(frozen=True, eq=False)
class Blurred:
    """The heads of an arm's networks, one a network, on images that something was done to. levels: which head."""

    workshop: Workshop
    frozens: Sequence[Frozen]
    heads: Sequence[Mapping[tuple[str, ...], Head]]
    of_levels: tuple[str, ...] = BEST

    def means(self, of: Frozen, name: str, change: Change, alone: bool = False) -> np.ndarray:
        """Levels of changed images; alone: of test images."""
        rows = of.rows("test") if alone else None
        return level_means(self.workshop, of.trained, change=change, name=name, rows=rows)

    def said(self, name: str, change: Change | None, heads: Sequence[Head] | None = None) -> pd.DataFrame:
        """Predictions for test images after a change (None: as they are)."""
        heads = [made[self.of_levels] for made in self.heads] if heads is None else heads
        tables = []
        for of, head in zip(self.frozens, heads, strict=True):
            alone = not name.startswith("blur ")  # those are needed for training images too
            means = None if change is None else self.means(of, name, change, alone)
            tables.append(predictions(of, head, means=means))
        return pd.concat(tables, ignore_index=True)

    def at(self, kernel: int, heads: Sequence[Head] | None = None) -> pd.DataFrame:
        """Predictions under a blur by its kernel; 1 is none."""
        made = self.said(f"blur {kernel}", None if kernel == SHARP else partial(blur, kernel=kernel), heads)
        return made.assign(kernel=kernel)

    def table(self, part: str = "test") -> pd.DataFrame:
        """Predictions for a part at every level of blur."""
        return pd.concat([self._part(part, kernel) for kernel in KERNELS], ignore_index=True)

    def _part(self, part: str, kernel: int) -> pd.DataFrame:
        change = None if kernel == SHARP else partial(blur, kernel=kernel)
        tables = []
        for of, made in zip(self.frozens, self.heads, strict=True):
            means = None if change is None else self.means(of, f"blur {kernel}", change)
            tables.append(predictions(of, made[self.of_levels], part, means))
        return pd.concat(tables, ignore_index=True).assign(kernel=kernel)

    def records(self, **how) -> dict[str, Estimate]:
        """Every level of blur, what each costs, and what a threshold chosen on blurred training images gives back."""
        table = self.table()
        found = degradation.by_level(table, **how) | degradation.changes(table, **how)
        return found | degradation.rethresholded(self.table("train"), table, max(BLURS), **how)

    def elsewhere(self, **how) -> dict[str, Estimate]:
        """Accuracy under another clinic's lamp and lens minus at home, paired by image."""
        away = self.said("another clinic", another_clinic)
        text = "accuracy under another clinic's lamp and lens minus at home, paired by image"
        both = paired(away, self.at(SHARP), "correct")
        return {"elsewhere.accuracy_minus_home": difference_by(both, "a", "b", how=text, **how)}

    def drift(self, looked: Sequence[Looked], **how) -> dict[str, Estimate]:
        """CRM under blur against sharp, of the class said of the sharp image: logarithm of the ratio of areas at CUT,
        how far the peak moves in diagonals, overlap of the regions, Spearman; and how many images change their class.
        """
        found = {}
        for kernel in BLURS:
            tables = []
            for seen, made in zip(looked, self.heads, strict=True):
                network = made[self.of_levels].network(seen.of)
                sharp = explain(network, seen.images, "crm", None, LAYER, batch_size=BATCH)
                soft = explain(network, blur(seen.images, kernel), "crm", sharp.target, LAYER, batch_size=BATCH)
                tables.append(pd.DataFrame(seen.table() | moved(sharp, soft, seen.side)))
            table = pd.concat(tables, ignore_index=True)
            texts = {
                "log_area_ratio": "log area of CRM's region, blurred over sharp",
                "peak_shift": "how far CRM's peak moves, diagonals", "overlap": "IoU of CRM's regions",
                "spearman": "Spearman of CRM, blurred and sharp", "flipped": "images that change their class",
            }  # fmt: skip
            for name, text in texts.items():
                rows = averaged(table.dropna(subset=[name]), [name])
                found[f"drift.k{kernel}.{name}"] = mean_by(rows, name, how=f"{text}, blur ({kernel}, {kernel})", **how)
        return found

    def spectrum(self, looked: Looked) -> dict[str, Estimate]:
        """Share of the images' power that each blur takes away, mean over the images of one network."""
        found = {}
        for kernel in BLURS:
            lost = share_lost(looked.pixels, scaled_sigma(kernel, looked.side))
            found[f"blur.k{kernel}.power_lost"] = exact(
                float(np.nanmean(lost)), n=len(lost), how=f"share of power (without the mean) lost, blur {kernel}"
            )
        return found

    def seeing_blur(self) -> list[Head]:
        """Heads fitted on sharp and blurred training images alike, one a network."""
        made = []
        for of in self.frozens:
            versions = [of.means, *(self.means(of, f"blur {k}", partial(blur, kernel=k)) for k in BLURS)]
            columns = (np.tile(column, len(versions)) for column in (of.labels, of.part, of.names, of.groups))
            stacked = Frozen(of.trained, np.concatenate(versions), *columns)
            made.append(converged(stacked, self.of_levels))
        return made

    def remedies(self, **how) -> dict[str, Estimate]:
        """What is regained under each blur: by a head that saw blur, as a share of the loss, and what it costs on sharp
        images; and by sharpening the blurred image.
        """
        heads, found, sharp = self.seeing_blur(), {}, self.at(SHARP)
        text = "accuracy on sharp images, head that saw blur minus without"
        both = paired(self.at(SHARP, heads), sharp, "correct")
        found["remedy.sharp.accuracy_change"] = difference_by(both, "a", "b", how=text, **how)
        for kernel in BLURS:
            soft, better = self.at(kernel), self.at(kernel, heads)
            restored = self.said(f"sharpened {kernel}", partial(sharpened, kernel=kernel))
            text = f"accuracy under blur ({kernel}, {kernel}), head that saw blur minus without"
            found[f"remedy.k{kernel}.accuracy_gained"] = difference_by(
                paired(better, soft, "correct"), "a", "b", how=text, **how
            )
            found[f"remedy.k{kernel}.share_regained"] = share_regained(sharp, soft, better, kernel, **how)
            text = f"accuracy, sharpened minus as blurred ({kernel}, {kernel})"
            found[f"blur.k{kernel}.restored_minus_blurred.accuracy"] = difference_by(
                paired(restored, soft, "correct"), "a", "b", how=text, **how
            )
        return found

    def gate(self, side: int = 0, **how) -> tuple[dict[str, Estimate], pd.DataFrame]:
        """A sharpness gate fitted on sharp training images of each network: does it tell blurred from sharp, and is the
        head more often right on what it lets pass? -> (estimates, accuracy against coverage)
        """
        first = self.frozens[0]
        spec, dataset = first.trained.fit.spec, self.workshop.dataset(first.trained.run.arm.variant)
        pixels, _ = self.workshop.pixels(dataset, spec.image_size, spec.crop)
        seen = sharpness.measured(np.asarray(pixels), {"image": first.names, "group": first.groups}, side=side)
        tables = []
        for of in self.frozens:
            part = pd.Series(of.part, index=of.names)
            tables.append(seen.assign(part=seen["image"].map(part), repeat=of.trained.run.repeat))
        rows = pd.concat(tables, ignore_index=True)
        right = self.table()[["image", "kernel", "repeat", "correct"]]
        table = rows.merge(right, on=["image", "kernel", "repeat"], how="left")
        fitted = sharpness.fit_gate(table)
        curve, points = sharpness.coverage_curve(table, fitted, **how)
        return sharpness.tells_blur(table, fitted, **how) | sharpness.worth(table, fitted, **how) | points, curve


def moved(sharp, soft, side: int) -> dict[str, np.ndarray]:
    """How two sets of CRM maps differ, a row an image. sharp, soft: Explanations of the same images."""
    maps = [e.upsampled("crm", LAYER, side, relu=False, scale=None).numpy() for e in (sharp, soft)]
    regions = [find_regions(m, "fraction", CUT) for m in maps]
    keep = regions[0].defined & regions[1].defined
    peaks = [np.stack(np.unravel_index(m.reshape(len(m), -1).argmax(1), m.shape[1:]), 1) for m in maps]
    shift = np.linalg.norm(peaks[1] - peaks[0], axis=1) / np.hypot(side, side)
    union = (regions[0].masks | regions[1].masks).sum((1, 2))
    both = (regions[0].masks & regions[1].masks).sum((1, 2))
    with np.errstate(all="ignore"):
        ratio = np.log(regions[1].areas / regions[0].areas)
    return {
        "log_area_ratio": np.where(keep, ratio, np.nan),
        "peak_shift": np.where(keep, shift, np.nan),
        "overlap": np.where(keep, both / np.maximum(union, 1), np.nan),
        "spearman": similarity(sharp["crm"].numpy(), soft["crm"].numpy()).spearman,
        "flipped": (sharp.logits.argmax(1) != soft.logits.argmax(1)).numpy().astype(float),
    }


def share_regained(sharp: pd.DataFrame, soft: pd.DataFrame, better: pd.DataFrame, kernel: int, **how) -> Estimate:
    """(accuracy of `better` - of `soft`) / (accuracy of `sharp` - of `soft`), the same images; NaN without a loss."""
    keys = ["image", "group", "repeat"]
    rows = sharp[[*keys, "correct"]].rename(columns={"correct": "sharp"})
    for name, table in (("soft", soft), ("better", better)):
        rows = rows.merge(table[[*keys, "correct"]].rename(columns={"correct": name}), on=keys)

    def share(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        a, b, c = (np.average(frame[n], weights=weights) for n in ("sharp", "soft", "better"))
        return float((c - b) / (a - b)) if a > b else float("nan")

    text = f"share of the loss under blur ({kernel}, {kernel}) that a head regains which saw blur"
    return statistic_by(rows, share, how=text, **how)
