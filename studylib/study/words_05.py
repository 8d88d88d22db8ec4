"""Study 5's words: what a map says of an image, what the true outline would say, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from studylib.cam import explain
from studylib.cam.regions import find_regions, largest_component
from studylib.data.dataset import Dataset
from studylib.metrics import calibration
from studylib.metrics.estimates import at_the_edge
from studylib.metrics.intervals import Estimate, auroc_by, difference_between, exact, mean_by
from studylib.study import word_agreement
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, Pictures, as_images, held_out, random_network
from studylib.study.one_image import SPOKEN as METHOD
from studylib.study.one_image import doubt_of, temperature_of
from studylib.study.region_attributes import FRACTION, attributes, attributes_of_maps
from studylib.study.scrutiny import cue_masks
from studylib.study.segmenting import LAYER, Seen, explained, first, firsts, large, seen_by, told
from studylib.study.train import Workshop
from studylib.study.wording import load_wording
from studylib.study.words import ATTRIBUTES, OFF_LESION, describe, of_disc, word_columns, words_of

SOURCES = {"map_vs_mask": "the map", "random_vs_mask": "random weights", "disc_vs_mask": "a disc in the middle",
           "common_vs_mask": "the commonest word"}  # fmt: skip
STRUCTURE = 8  # value of the region that alone tells the class in the phantoms `local`
CUES = {"true": "local", "ruler": "ruler", "ink": "ink", "either": "either"}  # cue -> the arm that learned it
PLANTED = {"true": "true", "ruler": "marker", "either": "either"}  # cue -> what the gate of planted truth calls it


def by_class(workshop: Workshop, dataset: Dataset) -> pd.DataFrame:
    """Images, lesions and median area of the lesion by class, the commonest first."""
    row = {"label": dataset.table["label"], "group": workshop.group_of(dataset), "area": areas(workshop, dataset)[:, 0]}
    found = (
        pd.DataFrame(row)
        .groupby("label")
        .agg(images=("group", "size"), lesions=("group", "nunique"), area=("area", "median"))
    )
    found["median area, %"] = 100 * found.pop("area")
    return found.sort_values("images", ascending=False).rename_axis("class")


def areas(workshop: Workshop, dataset: Dataset) -> np.ndarray:
    """Share of each image that is lesion, (N, 1)."""
    return workshop.masks(dataset, workshop.profile.image_size, "none").mean((1, 2))[:, None]


@dataclass(frozen=True, eq=False)
class Spoken:
    """Words of one map of every image and of its true outline. table: image, group, label, predicted (the class's
    name), confidence (calibrated), repeat, symmetry of the outline, and word_<attribute>_<kind>; numbers: attributes of
    the map's region, a row an image; pixels, masks, maps (signed): (N, H, W[, 3]) in the photograph's own aspect, in
    which shapes are measured; common: attribute -> commonest word of training outlines; doubt: below it confidence is
    low, by network.
    """

    table: pd.DataFrame
    numbers: pd.DataFrame
    pixels: np.ndarray
    masks: np.ndarray
    maps: np.ndarray
    common: dict[str, str]
    doubt: dict[int, float]
    calibrated: pd.DataFrame
    classes: tuple[str, ...]

    @classmethod
    def of(cls, workshop: Workshop, fits: Fits, arm: str, most: int) -> Spoken:
        """Speak of at most so many test images of the first network of each fold; confidence after the temperature of
        its validation images, and called low below what a fifth of them have.
        """
        classes = workshop.labels(workshop.dataset())[1]
        parts, doubt, calibrated = [], {}, []
        aspect = aspect_of(workshop.dataset())
        for t in firsts(fits, arm):
            degree = temperature_of(t)
            doubt[t.run.repeat] = doubt_of(t, degree)
            calibrated.append(_scaled(t, "test", classes, degree))
            parts.append(_spoken(first(seen_by(workshop, t), most), classes, degree, aspect))
        tables, numbers, *grids = zip(*parts, strict=True)
        words = _words_of_training(workshop, fits.select(arm)[0])
        joined = pd.concat(tables, ignore_index=True), pd.concat(numbers, ignore_index=True)
        arrays = (np.concatenate(grid) for grid in grids)
        return cls(*joined, *arrays, words, doubt, pd.concat(calibrated, ignore_index=True), classes)

    def text(self, i: int) -> str:
        """The whole text of one row."""
        row = self.table.iloc[i]
        return describe(
            self.numbers.iloc[i], predicted=row["predicted"], confidence=row["confidence"],
            doubt=self.doubt[row["repeat"]],
        ).text  # fmt: skip

    def examples(self, rows: Sequence[int]) -> tuple[list[str], list[int]]:
        """Texts of some rows of the first network, and the rows."""
        return [self.text(i) for i in rows], list(rows)

    def shown(self, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What the figure takes: pixels, masks, maps and the regions that words are about, of rows of the first
        network's images, in the order asked for.
        """
        rows = list(rows)
        regions = find_regions(self.maps[rows], "fraction", FRACTION, largest=True).masks
        return self.pixels[rows], self.masks[rows], self.maps[rows], regions

    def agreements(self, **how) -> dict[str, Estimate]:
        """Agreement of every word with that of the true outline, and what words without a map reach."""
        found = word_agreement.agreements(self.table, ATTRIBUTES, common=self.common, **how)
        return found | word_agreement.unchanged(self.table, ATTRIBUTES, **how)

    def tidy(self, found: dict[str, Estimate]) -> pd.DataFrame:
        """Rates by attribute, a column for each source of words, and kappa of the map's."""
        rows = {}
        for name in ATTRIBUTES:
            row = {words: f"{found[f'words.{name}.{key}.rate'].value:.2f}" for key, words in SOURCES.items()}
            kappa = found[f"words.{name}.map_vs_mask.kappa"]
            row |= {"kappa of the map": f"{kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]"}
            rows[name] = row | {"commonest": str(self.common[name]).replace("_", " ")}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("word")

    def more(self, **how) -> dict[str, Estimate]:
        """Whether words tell the class that was said; texts that contradict themselves as the source's example does;
        whether nevi are more symmetrical than melanomas by their outlines.
        """
        sides = [self.table[self.table["name"] == name].dropna(subset=["symmetry"]) for name in ("NV", "MEL")]
        both = pd.concat(sides).assign(nevus=lambda t: (t["name"] == "NV").astype(int))
        contradicted = load_wording().contradicted(source=True)
        found = word_agreement.informative(self.table, ATTRIBUTES, **how)
        found |= word_agreement.contradictions(self.table, contradicted, **how)
        text = "symmetry of outlines (IoU with reflections), nevi minus melanomas"
        found["words.symmetry.nv_minus_mel"] = difference_between(*sides, "symmetry", how=text, **how)
        text = "AUROC of an outline's symmetry for nevus against melanoma"
        found["words.symmetry.auroc"] = auroc_by(both, "nevus", "symmetry", how=text, **how)
        return {name.lower(): e for name, e in found.items()}

    def truths(self) -> pd.DataFrame:
        """label and the share of an image's words that the true outline confirms (`true`)."""
        same = pd.DataFrame({
            name: np.where(
                self.table[[f"word_{name}_map", f"word_{name}_mask"]].notna().all(axis=1),
                (self.table[f"word_{name}_map"] == self.table[f"word_{name}_mask"]).astype(float),
                np.nan,
            )
            for name in ATTRIBUTES
        })  # fmt: skip
        return pd.DataFrame({"label": self.table["label"], "true": same.mean(axis=1)})


def _scaled(trained: Trained, part: str, classes: Sequence[str], degree: float) -> pd.DataFrame:
    """Predictions of a part with probabilities at a temperature."""
    columns = [f"p_{c}" for c in classes]
    table = trained.fit.predictions.query("part == @part").reset_index(drop=True)
    p = calibration.probabilities_at(np.log(table[columns].to_numpy().clip(1e-7)), degree)
    predicted = p.argmax(1)
    told_of = {"predicted": predicted, "correct": (predicted == table["label"]).astype(float)}
    return table.assign(**dict(zip(columns, p.T, strict=True)), **told_of, repeat=trained.run.repeat)


def aspect_of(dataset: Dataset) -> float:
    """Height over width of a set's pictures, of the first, where all have the same."""
    height, width = dataset.image(0).shape[:2]
    return height / width


def in_aspect(grids: np.ndarray, aspect: float) -> np.ndarray:
    """Square pictures, masks or maps (N, S, S[, 3]) in the aspect of the photographs, the longer side S."""
    side = grids.shape[1]
    height, width = (round(side * aspect), side) if aspect <= 1 else (side, round(side / aspect))
    if height == width:
        return grids
    how = cv2.INTER_NEAREST if grids.dtype == bool else cv2.INTER_LINEAR
    plain = grids.astype(np.uint8) if grids.dtype == bool else grids
    return np.stack([cv2.resize(grid, (width, height), interpolation=how) for grid in plain]).astype(grids.dtype)


def _spoken(seen: Seen, classes: Sequence[str], degree: float, aspect: float) -> tuple:
    """Table, numbers, pixels, masks and maps of one network."""
    e = explained(seen, (METHOD,))
    row, side = told(seen, e), seen.side
    random = explain(random_network(seen.trained), as_images(seen.pixels), METHOD, e.target, LAYER, batch_size=BATCH)
    grids = (seen.pictures.pixels, seen.pictures.masks, large(e, METHOD, side), large(random, METHOD, side))
    pixels, masks, maps, random_maps = (in_aspect(grid, aspect) for grid in grids)
    confidence = calibration.probabilities_at(e.logits.double().numpy(), degree).max(1)
    numbers = attributes_of_maps(maps, pixels, names=row["image"])  # a reader has no outline
    outlines = attributes(masks, pixels, names=row["image"])
    kinds = {
        "map": numbers,
        "mask": outlines,
        "random": attributes_of_maps(random_maps, pixels),
        "disc": of_disc(pixels, float(np.median(masks.mean((1, 2))))),
    }
    table = pd.DataFrame({
        "image": row["image"], "group": row["group"], "label": row["label"],
        "name": [classes[i] for i in row["label"]], "predicted": [classes[i] for i in row["predicted"]],
        "confidence": confidence, "repeat": seen.trained.run.repeat, "symmetry": outlines["symmetry"],
    })  # fmt: skip
    words = [word_columns(attributes_, kind).reset_index(drop=True) for kind, attributes_ in kinds.items()]
    return pd.concat([table, *words], axis=1), numbers, pixels, masks, maps


def _words_of_training(workshop: Workshop, trained: Trained, most: int = 400) -> dict[str, str]:
    """The commonest word of training outlines, by attribute; of at most so many images, evenly over names."""
    pictures, aspect = first(seen_by(workshop, trained, "train"), most).pictures, aspect_of(workshop.dataset())
    words = words_of(attributes(in_aspect(pictures.masks, aspect), in_aspect(pictures.pixels, aspect)))
    return {name: words[name].dropna().mode().iat[0] for name in ATTRIBUTES}


def of_ruler(workshop: Workshop, fits: Fits, most: int, arm: str = "ruler", **how) -> dict[str, Estimate]:
    """What texts say where a network rests on a ruler: of pictures with it that were called melanoma, how often the
    place that is named is one where the ruler lies and the lesion's middle does not, how often the text warns that the
    region may be off the lesion (told without an outline), and how often it is (told with one).
    """
    tables = []
    for t in fits.select(arm):
        variant = f"{t.run.arm.variant}_free"
        pictures, rulers = held_out(workshop, t, variant), cue_masks(workshop, t, variant)
        e = explain(t.fit.model(), as_images(pictures.pixels), METHOD, 1, LAYER, batch_size=BATCH)
        keep = np.flatnonzero(rulers.any((1, 2)) & (e.logits[:, -1].numpy() > 0))[:most]
        if not len(keep):
            continue
        maps = e.upsampled(METHOD, relu=False, scale=None).numpy()[keep]
        tables.append(_ruled(pictures.where(_mask_of(keep, len(pictures))), maps, rulers[keep]))
    texts = {
        "named": "the named place holds the ruler and not the lesion's middle",
        "warned": "the text warns that the region may be off the lesion, no outline given",
        "off": "less than half of the region on the lesion",
    }
    if not tables:
        none = exact(float("nan"), n=0, how="no picture with a ruler was called melanoma")
        return {f"words.ruler.{name}.rate": none for name in texts}
    table = pd.concat(tables, ignore_index=True)
    return {
        f"words.ruler.{name}.rate": at_the_edge(mean_by(table, name, how=text, **how)) for name, text in texts.items()
    }


def _mask_of(rows: np.ndarray, n: int) -> np.ndarray:
    keep = np.zeros(n, bool)
    keep[rows] = True
    return keep


def _ruled(pictures: Pictures, maps: np.ndarray, rulers: np.ndarray) -> pd.DataFrame:
    """named, warned and off of pictures with a ruler."""
    numbers = attributes_of_maps(maps, pictures.pixels)
    middle = words_of(attributes(pictures.masks, pictures.pixels))["place"]
    ruler = words_of(attributes(largest_component(rulers), pictures.pixels))["place"]
    place = words_of(numbers)["place"]
    on_lesion = attributes_of_maps(maps, pictures.pixels, lesions=pictures.masks)["on_lesion"]
    warned = [
        "perhaps_off_lesion" in describe(numbers.iloc[i], predicted="MEL", confidence=1.0).warnings
        for i in range(len(numbers))
    ]
    return pd.DataFrame({
        "image": pictures.names,
        "group": pictures.groups,
        "named": ((place == ruler) & (place != middle)).astype(float).where(place.notna()),
        "warned": np.array(warned, float),
        "off": (on_lesion < OFF_LESION).astype(float).where(on_lesion.notna()),
    })  # fmt: skip
