"""What study 2 records about maps, robustness and cost: each function one family of its ledger's metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from studylib.cam import explain
from studylib.data.dataset import Dataset
from studylib.metrics import localisation
from studylib.metrics.intervals import Estimate, difference_by, exact
from studylib.study import cost, mapping, robustness
from studylib.study.architecture import completeness_error
from studylib.study.figures import quantile_cases
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import Pictures, held_out, map_difference, map_mean, pictures_of
from studylib.study.study import Study
from studylib.study.train import Workshop
from studylib.training.precision import on_this_machine

FLOORS = ("centre", "brightest", "random_weights", "sobel", "random")


def how_of(study: Study) -> dict:
    """What intervals share over pictures with masks: people of the set from elsewhere in a real run."""
    return study.how | ({} if study.data == "phantom" else {"unit": "person"})


def masked_pictures(study: Study, external: Dataset | None) -> Callable[[Trained], Pictures]:
    """network -> pictures with masks that it was not trained on: its test patients (phantom), or the set from
    elsewhere (real).
    """
    if external is None:

        def of_phantoms(trained: Trained) -> Pictures:
            pictures = held_out(study.workshop, trained)
            return pictures.where(pictures.masks.any((1, 2)))

        return of_phantoms
    rows = np.arange(len(external))
    if len(rows) > study.profile.map_images:
        rows = np.sort(np.random.default_rng(study.seed).choice(rows, study.profile.map_images, replace=False))
    kept: dict[tuple[int, bool], Pictures] = {}

    def of_external(trained: Trained) -> Pictures:
        key = (trained.fit.spec.image_size, trained.fit.spec.crop)
        if key not in kept:
            kept[key] = pictures_of(study.workshop, external, rows, trained, study.settings.external_group)
        return kept[key]

    return of_external


def localisation_estimates(table: pd.DataFrame, where: str, **how) -> dict[str, Estimate]:
    """The map's own figures, its differences to floors, and attention against none; paired by picture, each patient
    once.
    """
    found = {f"loc.{where}.cam.{m}": map_mean(table, m, "cam", **how) for m in ("auprc", "pixel_auroc", "pointing")}
    for floor in FLOORS:
        for measure in ("auprc", "iou_matched", "pixel_auroc"):
            name = f"loc.{where}.cam_minus_{floor}.{measure}"
            found[name] = map_difference(table, measure, "cam", floor, **how)
    for measure in ("energy_inside", "auprc"):
        found[f"loc.{where}.cam_minus_none.{measure}"] = map_difference(table, measure, "cam", "none", **how)
    return found


def energy_minus_area(table: pd.DataFrame, **how) -> Estimate:
    """Share of positive map inside the lesion minus the lesion's share of the frame: above 0 the map finds what was
    planted.
    """
    rows = (
        table[table["map"] == "cam"].groupby(["image", "group"], as_index=False)[["energy_inside", "prevalence"]].mean()
    )
    return difference_by(
        rows, "energy_inside", "prevalence", weight="group", how="map energy in the lesion minus its area", **how
    )


def map_summary(table: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """Every measure of every map, mean over pictures, chance of pixel AUPRC beside it."""
    columns = [*mapping.MEASURES, "prevalence"]
    return table.groupby("map")[columns].mean().loc[[name for name in order if name in set(table["map"])]]


def undefined(table: pd.DataFrame) -> pd.DataFrame:
    """How many maps had no meaning, by map and reason."""
    return table.loc[table["reason"] != "", ["map", "reason"]].value_counts().rename("images x networks").to_frame()


def source_maps(trained: Trained, pictures: Pictures) -> dict[str, np.ndarray]:
    """What stands in the figure of the source's maps: CAM, Grad-CAM on the first pool, the CAM of random weights, a
    blob.
    """
    model = trained.fit.model()
    return {
        "CAM": mapping.class_maps(model, pictures.pixels)[1],
        "Grad-CAM, first pool": mapping.class_maps(model, pictures.pixels, "gradcam", "relu")[1],
        "CAM, random weights": mapping.class_maps(mapping.random_network(trained), pictures.pixels)[1],
        "centre": mapping.floor_maps(pictures)["centre"],
    }


def ranked_cases(trained: Trained, pictures: Pictures) -> tuple[list[int], list[str], dict[str, np.ndarray]]:
    """Pictures at the 5th, 50th and 95th percentile of the CAM's pixel AUPRC, their captions, and the maps beside
    them.
    """
    maps = source_maps(trained, pictures)
    maps = {"CAM": maps["CAM"], **{k: mapping.floor_maps(pictures)[k] for k in ("centre", "brightest")}} | {
        "CAM, random weights": maps["CAM, random weights"]
    }
    values = localisation.pixel_auprc(maps["CAM"], pictures.masks)
    rows = quantile_cases(values)
    return rows, [f"AUPRC {values[row]:.2f}" for row in rows], maps


def curves(study: Study, fits: Fits, arm: str) -> pd.DataFrame:
    """Deletion and insertion areas of every test picture that an arm's networks call a tumour."""
    tables = [mapping.curve_table(t, held_out(study.workshop, t), study.profile.steps) for t in fits.select(arm)]
    return pd.concat(tables, ignore_index=True)


def curve_differences(table: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Areas of the map minus of each control: below 0 for deletion and above 0 for insertion, if the network needs
    what the map marks.
    """
    floors, found = ("random", "centre", "brightest", "sobel"), {}
    for kind, rows in table.groupby("curve"):
        each = rows.groupby(["image", "group"], as_index=False)[["map", *floors]].mean()
        for floor in floors:
            text = f"{kind} area of the map minus {floor}"
            found[f"faith.{kind}.cam_minus_{floor}"] = difference_by(each, "map", floor, how=text, **how)
    return found


def cases(peaks: pd.DataFrame, pictures: Pictures, outcomes: tuple[str, ...]) -> tuple[list[int], list[str]]:
    """One picture an outcome, at the median of the raw peak: how the examples of a figure are picked. -> rows of
    `pictures`, captions.
    """
    place = {name: row for row, name in enumerate(pictures.names)}
    mine = peaks[(peaks["repeat"] == peaks["repeat"].min()) & peaks["image"].isin(place)]
    names = {
        "TN": "no tumour, called none",
        "TP": "tumour, called one",
        "FP": "no tumour, called one",
        "FN": "tumour, called none",
    }
    rows, captions = [], []
    for outcome in outcomes:
        found = mine[mine["outcome"] == outcome].sort_values(["peak", "image"])
        if len(found):
            rows.append(place[found["image"].iloc[(len(found) - 1) // 2]])
            captions.append(names[outcome])
    return rows, captions


def bluest(colours) -> Estimate:
    """Where in a colour map (0 low, 1 high) its bluest entry stands: the largest blue minus the larger of red and
    green.
    """
    entries = colours(np.arange(256))
    place = int(np.argmax(entries[:, 2] - entries[:, :2].max(1)))
    return exact(place / 255, how=f"bluest of 256 entries of {colours.name}")


def robustness_estimates(workshop: Workshop, fits: Fits, **how) -> dict[str, Estimate]:
    """What a shift of a tenth costs, and slopes of accuracy over noise, blur and contrast, arms against each other."""
    found = {"robustness.shift10.accuracy_drop": robustness.shift_drop(workshop, fits, "cam", **how)}
    for other in ("cam", "pretrained"):
        if fits.has("plain") and fits.has(other):
            a, b = robustness.slopes(workshop, fits, "plain"), robustness.slopes(workshop, fits, other)
            both = a.merge(b, on=["image", "group", "repeat"], suffixes=("_a", "_b"))
            text = f"slope of accuracy a severity step, plain minus {other}"
            found[f"robustness.slope.plain_minus_{other}"] = difference_by(both, "slope_a", "slope_b", how=text, **how)
    return found


def completeness(workshop: Workshop, fits: Fits) -> dict[str, Estimate]:
    """Largest error of sum(CAM) + bias against the logit, relative, for every kind of network that was trained."""
    found = {}
    for arm in ("cam", "none", "plain", "pretrained"):
        if fits.has(arm):
            trained = fits.select(arm)[0]
            error = completeness_error(trained, held_out(workshop, trained))
            found[f"maps.{arm}.completeness_error"] = exact(
                float(f"{error:.1g}"), how="one digit: what is left is rounding"
            )
    return found


def costs(study: Study, fits: Fits, dataset: Dataset) -> dict[str, Estimate]:
    """Ratios of training steps and of inference, and milliseconds for crop, network and map of one picture."""
    size = study.profile.image_size
    none, cam = cost.training_step("brain", size, gate="none"), cost.training_step("brain", size, gate="cam")
    found = {"cost.epoch.cam_over_none": cost.ratio(cam, none, "training step, reading B over none")}
    if on_this_machine("bf16") == "bf16":
        full = cost.training_step("brain", size, "float32", gate="none")
        found["cost.epoch.bf16_over_float32"] = cost.ratio(none, full, "training step, bf16 over float32")
    if fits.has("pretrained"):
        trunk = dict(fits.select("pretrained")[0].fit.spec.options)
        frozen = cost.training_step("frozen_trunk", trunk["image_size"], "float32", trunk=trunk["trunk"])
        plain = cost.training_step("brain_plain", size)
        found["cost.epoch.pretrained_over_cam"] = cost.ratio(frozen, cam, "training step, trunk on every picture", 5)
        found["cost.epoch.pretrained_over_plain"] = cost.ratio(
            frozen, plain, "training step, trunk on every picture", 5
        )
    model = fits.select("cam")[0].fit.model()
    gated, plain = cost.inference(model, size), cost.inference(fits.select("none")[0].fit.model(), size)
    found["cost.latency.cam_over_none"] = cost.ratio(gated, plain, "inference of one picture", 200)
    rows = np.flatnonzero(~dataset.copies())[:60]
    found["cost.latency_p95"] = cost.latency(model, [dataset.image(int(row)) for row in rows], size, explain)
    return found


def quotable(study: Study) -> str:
    """A paragraph that may be quoted, every figure from the records of this run."""
    m = study.metrics
    where = "phantom" if study.data == "phantom" else "figshare"
    kind = "brain phantoms" if study.data == "phantom" else "the source's pictures and tumours from another set"
    found, ahead = m[f"loc.{where}.cam.auprc"], m[f"loc.{where}.cam_minus_centre.auprc"]
    counted = study.headline()
    accuracy = {split: m[f"accuracy.{split}.cam.test"] for split in ("group", "random_images")}
    return (
        f"On {kind} (profile {study.profile_name}, seed {study.seed}), the network with CAM-guided attention "
        f"(reading B) was right on {accuracy['group']} of pictures from unseen groups, and on "
        f"{accuracy['random_images']} when copies of a picture stood on both sides of the split: the leak is "
        f"worth {m['leak.accuracy_gap']}. Attention changed accuracy by {m[study.settings.primary]}. "
        f"Its map found the tumour with a pixel AUPRC of {found}, that of a centred blob being "
        f"{found.value - ahead.value:.3g} (difference {ahead}). {counted[0].upper()}{counted[1:]}."
    )
