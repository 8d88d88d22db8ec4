"""Networks of which it is known what they look at: how often a map reveals it, how often it hides it, by method.

A map reveals a cue where its positive energy on the cue is at least twice as dense as in the picture (energy share over
area share 2 or more), and hides it where it is less dense than a map drawn blindly (below 1). Only pictures count that
carry the cue and were called abnormal by a network that rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain, prepare
from studylib.metrics.estimates import at_the_edge
from studylib.metrics.faithfulness import insertion
from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_between,
    difference_by,
    exact,
    mean_by,
)
from studylib.metrics.localisation import energy_inside, pointing_game
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, TOLERANCE, as_images, held_out
from studylib.study.maps_01 import regions_of
from studylib.study.scrutiny import cue_masks
from studylib.study.segmenting import LAYER
from studylib.study.train import Workshop

REVEALED, HIDDEN = 2.0, 1.0  # density of the map on the cue against the whole picture
LOCAL = ("marker", "either", "outside")  # cues that lie somewhere; a tint lies everywhere
METHODS = ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "scorecam")
CUES = {"true": "local", "marker": "marker", "either": "either", "outside": "outside"}  # cue -> the arm that learned it
TOP = 0.2  # of the picture, that a relational label is to be recovered from


def revealing(
    workshop: Workshop, fits: Fits, cue: str, most: int, methods: Sequence[str] = METHODS,
    arms: Mapping[str, str] = CUES, truth: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Density of every method's map on a cue, one row a picture, network and method; columns density, area, energy,
    peak (whether the map is highest there, with the pointing game's tolerance).

    Pictures that carry the cue and are called positive, the cue set free of the class; of `either` those without the
    trait, so that the cue alone speaks; of `true` the region of value `truth` in positive pictures. At most so many of
    a network. arms: which arm learned each cue.
    """
    tables = []
    for t in fits.select(arms[cue]):
        variant = t.run.arm.variant if cue in ("true", "either") else f"{t.run.arm.variant}_free"
        pictures = held_out(workshop, t, variant)
        regions = regions_of(workshop, t, variant=variant)
        at = regions == truth if cue == "true" else cue_masks(workshop, t, variant)
        keep = pictures.labels == 1 if cue == "true" else at.any((1, 2))
        if cue == "either":
            keep &= ~_has_trait(workshop, t, variant)
        model = prepare(t.fit.model())
        with torch.inference_mode():
            keep &= model(as_images(pictures.pixels))[:, -1].numpy() > 0
        keep &= np.cumsum(keep) <= most
        if not keep.any():
            continue
        e = explain(model, as_images(pictures.pixels[keep]), methods, 1, LAYER, batch_size=BATCH)
        row = {"image": pictures.names[keep], "group": pictures.groups[keep], "area": at[keep].mean((1, 2))}
        for method, _ in e.maps:
            maps = e.upsampled(method, relu=False, scale=None).numpy()
            energy, peak = energy_inside(maps, at[keep]), pointing_game(maps, at[keep], TOLERANCE * maps.shape[1])
            columns = {"energy": energy, "density": energy / row["area"], "peak": peak}
            columns |= {"method": method, "repeat": t.run.repeat}
            tables.append(pd.DataFrame(row | columns))
    none = pd.DataFrame(columns=["image", "group", "area", "energy", "density", "peak", "method", "repeat"])
    return pd.concat(tables, ignore_index=True) if tables else none


def _has_trait(workshop: Workshop, trained: Trained, variant: str) -> np.ndarray:
    """Which test pictures hold the trait."""
    rows = np.flatnonzero(workshop.split(trained.run).part == "test")
    return workshop.dataset(variant).table["trait_present"].to_numpy()[rows] == "1"


def rates(table: pd.DataFrame, cue: str, methods: Sequence[str] = METHODS, **how) -> dict[str, Estimate]:
    """How often each method reveals and hides a cue, and the mean of its density's logarithm. table: `revealing`"""
    found = {}
    for method in methods:
        some = table[table["method"] == method].dropna(subset=["density"])
        if some.empty:
            none = exact(float("nan"), n=0, how=f"no picture with the cue ({cue}) was called so, or none has a map")
            found |= {f"{kind}.{cue}.{method.replace('++', 'pp')}.rate": none for kind in ("reveal", "hide")}
            continue
        rows = some.assign(revealed=(some["density"] >= REVEALED).astype(float),
                           hidden=(some["density"] < HIDDEN).astype(float))  # fmt: skip
        rows = rows.groupby(["image", "group"], as_index=False)[["revealed", "hidden"]].mean()
        name = method.replace("++", "pp")
        said = f"{method} at least twice as dense on the cue ({cue})"
        found[f"reveal.{cue}.{name}.rate"] = at_the_edge(mean_by(rows, "revealed", how=said, **how))
        said = f"{method} less dense on the cue ({cue}) than drawn blindly"
        found[f"hide.{cue}.{name}.rate"] = at_the_edge(mean_by(rows, "hidden", how=said, **how))
    return found


def peaks(table: pd.DataFrame, cue: str, methods: Sequence[str] = METHODS, **how) -> dict[str, Estimate]:
    """How often each method's map is highest on a cue. table: `revealing`"""
    found = {}
    for method in methods:
        rows = table[table["method"] == method].groupby(["image", "group"], as_index=False)["peak"].mean()
        name = f"peak.{cue}.{method.replace('++', 'pp')}.rate"
        text = f"{method} highest on the cue ({cue})"
        none = exact(float("nan"), n=0, how=f"{text}: no picture with the cue was called so")
        found[name] = none if rows.empty else at_the_edge(mean_by(rows, "peak", how=text, **how))
    return found


def energy_minus_area(table: pd.DataFrame, method: str = "cam", **how) -> Estimate:
    """Share of a map's energy on a cue minus the cue's share of the picture, networks averaged. table: `revealing`"""
    rows = table[table["method"] == method].groupby(["image", "group"], as_index=False)[["energy", "area"]].mean()
    if rows.empty:
        return exact(float("nan"), n=0, how="no picture with the cue was called positive")
    return difference_by(rows, "energy", "area", how=f"{method} energy on the cue minus its area", **how)


def rate_table(found: dict[str, Estimate]) -> pd.DataFrame:
    """Reveal and hide rates, a row a method, two columns a cue."""
    rows: dict[str, dict[str, str]] = {}
    for name, e in found.items():
        kind, cue, method, _ = name.split(".")
        rows.setdefault(method.replace("pp", "++"), {})[f"{cue}: {kind}s"] = (
            f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]"
        )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("map")


def reliance(workshop: Workshop, fits: Fits, arm: str, said: str = "abnormal", **how) -> dict[str, Estimate]:
    """Whether a network rests on its cue: share called positive (`said`) with the cue minus without, the cue free."""
    tables = []
    for t in fits.select(arm):
        variant = f"{t.run.arm.variant}_free"
        pictures, marks = held_out(workshop, t, variant), cue_masks(workshop, t, variant)
        with torch.inference_mode():
            called = t.fit.model()(as_images(pictures.pixels))[:, -1].numpy() > 0
        row = {"image": pictures.names, "group": pictures.groups, "called": called.astype(float)}
        tables.append(pd.DataFrame(row | {"cue": marks.any((1, 2))}))
    table = pd.concat(tables, ignore_index=True)
    text = f"called {said} with the cue minus without it, {arm}"
    return {
        f"reliance.{arm}": difference_between(table[table["cue"]], table[~table["cue"]], "called", how=text, **how),
        f"reliance.{arm}.accuracy": mean_by(fits.predictions(arm), "correct", how=f"accuracy of {arm}", **how),
    }


def told_apart(workshop: Workshop, fits: Fits, arm: str, **how) -> Estimate:
    """AUROC with which map energy on the cue (of a tint: off the cell) tells a network that rests on it from the clean
    twin, on the same pictures that carry the cue; CAM, class abnormal. 1/2: the map cannot tell them apart.
    """
    tables = []
    for bad, clean in zip(fits.select(arm), fits.select("local"), strict=False):
        variant = f"{arm}_free"
        pictures, marks = held_out(workshop, bad, variant), cue_masks(workshop, bad, variant)
        keep = marks.any((1, 2))
        at = marks[keep] if arm != "stain" else regions_of(workshop, bad, variant=variant)[keep] == 0
        for t, label in ((bad, 1), (clean, 0)):
            e = explain(t.fit.model(), as_images(pictures.pixels[keep]), "cam", 1, LAYER, batch_size=BATCH)
            energy = energy_inside(e.upsampled("cam", relu=False, scale=None).numpy(), at)
            row = {"image": pictures.names[keep], "group": pictures.groups[keep], "energy": energy, "bad": label}
            tables.append(pd.DataFrame(row))
    table = pd.concat(tables, ignore_index=True).dropna(subset=["energy"])
    text = f"AUROC of CAM energy on the cue, networks with the shortcut {arm} against clean ones"
    return auroc_by(table, "bad", "energy", how=text, **how)


def _probability(model: torch.nn.Module):
    """The probability that a network gives to abnormal."""

    def score(images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return torch.sigmoid(model(images)[:, -1])

    return score


def recovered(workshop: Workshop, fits: Fits, arm: str, most: int, steps: int = 20, **how) -> Estimate:
    """Share of the class's probability that the top fifth of the CAM gives back, the rest of the picture blurred:
    abnormal cells that were called so, at most so many of a network.
    """
    tables = []
    for t in fits.select(arm):
        pictures, model = held_out(workshop, t), prepare(t.fit.model())
        e = explain(model, as_images(pictures.pixels), "cam", 1, LAYER, batch_size=BATCH)
        keep = np.flatnonzero((pictures.labels == 1) & (e.logits[:, -1].numpy() > 0))[:most]
        if not len(keep):
            continue
        maps = e.upsampled("cam", relu=False, scale=None).numpy()[keep]
        curve = insertion(_probability(model), as_images(pictures.pixels[keep]), maps, steps=steps, batch_size=BATCH)
        place = int(np.argmin(np.abs(curve.shares - TOP)))
        row = {"image": pictures.names[keep], "group": pictures.groups[keep]}
        tables.append(pd.DataFrame(row | {"share": curve.scores[:, place] / curve.intact}))
    text = f"probability with the top {TOP:.0%} of CAM over that of the whole picture, label from {arm}"
    if not tables:
        return exact(float("nan"), n=0, how="no abnormal cell was called so")
    return mean_by(pd.concat(tables, ignore_index=True), "share", how=text, **how)


def fine(workshop: Workshop, fits: Fits, methods: Sequence[str] = ("cam", "gradcam++"), **how) -> dict[str, Estimate]:
    """Accuracy, and how often each map hides the nucleus (less dense than drawn blindly), by amplitude of the coarse
    chromatin that alone tells the class; abnormal cells called so. `hide.fine.*` is that at the smallest amplitude
    at which accuracy is 90 % or more, undefined where there is none.
    """
    tables, said = [], []
    for t in fits.select("fine"):
        pictures, regions = held_out(workshop, t), regions_of(workshop, t)
        rows = np.flatnonzero(workshop.split(t.run).part == "test")
        amplitude = workshop.dataset("fine").table["amplitude"].astype(float).to_numpy()[rows]
        e = explain(t.fit.model(), as_images(pictures.pixels), methods, 1, LAYER, batch_size=BATCH)
        called = e.logits[:, -1].numpy() > 0
        row = {"image": pictures.names, "group": pictures.groups, "amplitude": amplitude}
        said.append(pd.DataFrame(row | {"correct": (called == (pictures.labels == 1)).astype(float)}))
        keep = called & (pictures.labels == 1)
        for method, _ in e.maps:
            maps, at = e.upsampled(method, relu=False, scale=None).numpy(), regions == 1
            density = energy_inside(maps, at) / np.where(at.any((1, 2)), at.mean((1, 2)), np.nan)
            hidden = np.where(np.isfinite(density), density < HIDDEN, np.nan)
            tables.append(pd.DataFrame(row | {"hidden": hidden, "method": method})[keep])
    return by_amplitude(pd.concat(said, ignore_index=True), pd.concat(tables, ignore_index=True), methods, **how)


def by_amplitude(said: pd.DataFrame, table: pd.DataFrame, methods: Sequence[str], **how) -> dict[str, Estimate]:
    """What `fine` records, the same names whatever was learned. said: image, group, amplitude, correct; table: of
    abnormal cells called so, image, group, amplitude, method, hidden.
    """
    found, least = {}, None
    for amplitude, some in said.groupby("amplitude"):
        name = f"{amplitude:g}".replace(".", "_")
        found[f"fine.accuracy.amplitude_{name}"] = e = mean_by(some, "correct", how=f"amplitude {amplitude:g}", **how)
        least = amplitude if least is None and e.value >= 0.9 else least
        for method in methods:
            rows, short = table[(table["amplitude"] == amplitude) & (table["method"] == method)], _short(method)
            text = f"{method} hides the nucleus, amplitude {amplitude:g}"
            none = exact(float("nan"), n=0, how=f"{text}: no abnormal cell was called so")
            hides = none if rows.empty else mean_by(rows, "hidden", how=text, **how)
            found[f"fine.{short}.hides.amplitude_{name}"] = hides
            if amplitude == least:
                found[f"hide.fine.{short}"] = hides
    never = exact(float("nan"), n=len(said), how="at no amplitude of chromatin is the network right in 90 %")
    return {f"hide.fine.{_short(method)}": never for method in methods} | found


def _short(method: str) -> str:
    return method.replace("++", "pp")
