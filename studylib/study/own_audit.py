"""An audit of a user's own model on her own images: the gates, maps and measures of the studies, one report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.cam import explain
from studylib.data.dataset import DataError, load_dataset
from studylib.data.splits import crossing
from studylib.metrics.classification import majority_share
from studylib.metrics.floors import class_mean_mask
from studylib.metrics.intervals import Estimate, exact
from studylib.study import audit, figures, figures_06, own_measures
from studylib.study.across import comparisons
from studylib.study.own_images import OwnImages, own_images
from studylib.study.own_model import MEAN, STD, OwnModel, load_model
from studylib.study.own_report import OwnReport
from studylib.study.own_words import headline, may_be_said
from studylib.study.site import Report
from studylib.study.synthesis_06 import floor_table as hardest_floors

METHODS = ("gradcam", "gradcam++", "hirescam", "layercam")
NEVER = "needs networks trained on labels drawn by lot"
PLANTED = "needs a network trained on images with a planted cue"
SEEDS = "needs a second network, trained with another seed"
FEWEST = 8  # images below which nothing is measured


@dataclass(frozen=True)
class Asked:
    """What an audit is asked for. images, curve_images, sanity_images: at most so many, groups in turn, by lot."""

    data: Path
    model: str
    weights: Path | None = None
    classes: tuple[str, ...] = ()
    split: str = ""
    group: str = "group"
    region: str = ""
    size: int = 224
    crop: str = "none"
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    methods: tuple[str, ...] = METHODS
    layers: tuple[str, ...] = ()
    images: int = 200
    curve_images: int = 32
    sanity_images: int = 16
    steps: int = 16
    seed: int = 0
    resamples: int = 2000


def run_audit(asked: Asked, target: Path, command: str, say: Callable[[str], None] = print) -> Path:
    """Audit a model and write its report into `target`, which appears whole or not at all. -> the page

    Raises DataError and ModelError, each naming what was found and what to do, before anything is computed.
    """
    dataset = load_dataset(asked.data)
    classes = asked.classes or tuple(dataset.classes)
    if set(classes) != set(dataset.classes):
        raise DataError(f"--classes names {', '.join(classes)}; the data hold {', '.join(dataset.classes)}")
    given = {"split": asked.split, "group": asked.group, "region": asked.region, "size": asked.size, "crop": asked.crop}
    images = own_images(dataset, **given)
    own = load_model(asked.model, asked.weights, classes, asked.size, asked.mean, asked.std)
    rows = images.rows("test")
    if len(rows) < FEWEST:
        raise DataError(f"{dataset.name}: {len(rows)} test images; {FEWEST} or more are needed to say anything")
    layers = asked.layers or None
    methods = usable(own, images.pixels(rows[:1]), asked.methods, layers)
    report = OwnReport(target, f"audit_{dataset.name}", command, asked.seed)
    walk = _Walk(asked, own, images, methods, layers, report, say)
    walk.images_and_model(rows)
    walk.maps(rows)
    walk.verdict()
    used = {name: value for name, value in vars(asked).items() if name not in ("data", "weights")}
    head = {
        "study": "own", "data": "own", "profile": "audit", "seed": asked.seed, "primary": "",
        "settings": used | {"methods": methods, "classes": own.classes},
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
    }  # fmt: skip
    more = {"weights": {asked.model: own.digest or "none given"}}
    return report.close(f"{Path(asked.model).name} on {dataset.name}: what its maps show", head, more)


def usable(own: OwnModel, pixels: np.ndarray, methods: Sequence[str], layers) -> tuple[str, ...]:
    """The methods asked for, CAM before them where the head allows it and nobody chose otherwise."""
    if tuple(methods) != METHODS:
        return tuple(methods)
    try:
        explain(own.model, own.images(pixels), "cam", None, layers)
    except (ValueError, TypeError):
        return METHODS
    return ("cam", *METHODS)


class _Walk:
    """One audit under way: each step records, shows, and says where it is."""

    def __init__(self, asked, own, images, methods, layers, report, say) -> None:
        self.asked, self.own, self.images, self.methods, self.layers = asked, own, images, methods, layers
        self.report, self.say = report, say
        self.how = {"unit": images.unit, "resamples": asked.resamples, "seed": asked.seed}
        place = [own.classes.index(name) for name in images.dataset.classes]
        self.labels = np.array(place)[images.dataset.labels()]
        self.gates: list[list[audit.Gate]] = []

    def images_and_model(self, rows: np.ndarray) -> None:
        """Gates 0 and 1: what crosses the split, what the model is worth before its map is shown."""
        own, images, report = self.own, self.images, self.report
        self.say(f"[1/6] images: {len(images.dataset)} of {images.dataset.name}, {len(rows)} of them test")
        table = pd.crosstab(images.parts, images.dataset.table["label"]).rename_axis("part")
        report.heading("The images")
        report.table("images", table.assign(groups=_groups(images)), "Images by part and class")
        if not images.known:
            report.warn(
                "metadata.csv has no column `split`: every image is taken as unseen by the model. If it was trained on "
                "some, its accuracy below is training accuracy, and its maps are those of images it knows."
            )
        self.say(f"[2/6] predictions of {len(rows)} images")
        said = own_measures.predictions(own, images, rows, self.labels)
        validation = images.rows("validation")
        kept = own_measures.predictions(own, images, validation, self.labels) if len(validation) else None
        found = own_measures.classified(said, own.classes, **self.how)
        told, degree = own_measures.calibrated(said, kept, own.classes, **self.how)
        simple = own_measures.simple_features(images, said, rows, own.classes, **self.how)
        if isinstance(simple, Estimate):
            found["model.simple_features_auroc"] = simple
        report.heading("The model before its map")
        report.record_all(found | told, "On test images")
        report.record("calibration.temperature", exact(degree, n=len(said), how="one temperature of the logits"))
        report.say(f"Temperature {degree:.2f}.")
        report.keep("predictions", said.set_index("image"))
        self.said, self.found = said, found | told
        self.gates.append(self._leak())
        majority = majority_share(said["label"])
        self.gates.append(
            audit.model_gate(found["model.auroc"], found["model.accuracy"], majority, simple, told["calibration.ece"])
        )

    def _leak(self) -> list[audit.Gate]:
        if not (self.images.known and len(self.images.rows("train"))):
            rule = "no group, file or near-duplicate crosses the split"
            first = audit.Gate("0 leak", rule, "the table names no training images", "not applicable")
            return [first, audit.Gate("0 leak", "labels drawn by lot", NEVER, "not applicable")]
        crossings = crossing(self.images.dataset, self.images.split(), self.images.group)
        self.report.table("crossings", crossings.set_index("kind"), "What crosses the split")
        return audit.leak_gate(crossings, None, len(self.own.classes))

    def maps(self, rows: np.ndarray) -> None:
        """Gates 2 to 6: maps against floors, random weights, small changes, and what choices are worth."""
        asked, own, images, report, main = self.asked, self.own, self.images, self.report, self.methods[0]
        outlined = rows[(images.dataset.table["mask_file"].to_numpy()[rows] != "")] if images.has_masks else rows[:0]
        self.place(outlined)
        report.heading("Does the model need what the map marks?")
        few = images.pictures(images.sample(rows, asked.curve_images, asked.seed), self.labels)
        self.say(f"[4/6] deletion and insertion of {len(few)} images")
        need = own_measures.removed(own, few, self.methods, asked.steps, **self.how)
        for name, estimate in need.items():
            report.record(name, estimate)
        bars = {name: e for name, e in need.items() if f"faith.{main.replace('+', 'p')}_minus" in name}
        shown = {f"{main} minus {n.split('_minus_')[1].replace('.', ', ')}": e for n, e in bars.items()}
        fig = figures.forest(shown, "area, map minus floor", "Deletion below 0 and insertion above 0: needed", line=0.0)
        report.figure(fig, "needed", caption=f"{len(few)} images, 95 % intervals by {images.unit}.")
        some = images.pictures(images.sample(rows, asked.sanity_images, asked.seed), self.labels)
        self.say(f"[5/6] random weights and small changes, {len(some)} images")
        tested = own_measures.sane(own, some, main, **self.how)
        moved = own_measures.stable(own, some, main, **self.how)
        for name, by in tested.items():
            for measure, e in by.items():
                if isinstance(e, Estimate):
                    report.record(f"sanity.{name}.{measure}_minus_random_pairs", e)
        for name, e in moved.items():
            report.record(f"stability.{name}.spearman", e)
        self.gates += [
            audit.sanity_gate(tested["cascade"], tested["independent"]),
            audit.stability_gate(SEEDS, perturbed=moved),
            audit.truth_gate({name: PLANTED for name in audit.PLANTED}),
        ]
        chosen = (
            images.pictures(images.sample(outlined, asked.curve_images, asked.seed), self.labels)
            if len(outlined)
            else None
        )
        ranges = own_measures.choices(own, chosen, self.methods, self.layers) if chosen is not None else {}
        self.gates.append(audit.choice_gate(ranges))

    def place(self, outlined: np.ndarray) -> None:
        """Maps against floors, where masks are; the examples by the printed rule."""
        asked, own, images, report, main = self.asked, self.own, self.images, self.report, self.methods[0]
        report.heading("Does the map find the object?")
        chosen = images.sample(outlined, asked.images, asked.seed)
        pictures = images.pictures(chosen, self.labels) if len(chosen) else None
        pictures = pictures.where(pictures.masks.any((1, 2))) if pictures is not None else None
        if pictures is None or len(pictures) < 2:
            report.say(
                "No test image has a mask, so where maps lie cannot be measured; what the model needs of them can."
            )
            rule = "pixel AUPRC above that of floors"
            self.gates.append([audit.Gate("2 floors", rule, "no test image has a mask", "not applicable")])
            return
        self.say(f"[3/6] maps of {len(pictures)} images with masks: {', '.join(self.methods)}")
        table = own_measures.map_table(own, pictures, self.methods, self.layers)
        means, layer = self._class_masks(), self.layers[-1] if self.layers else None
        floor_rows = own_measures.floor_table(own, pictures, table, means, main, layer, asked.seed)
        found = own_measures.localised(table, floor_rows, **self.how)
        for name, estimate in found.items():
            report.record(name, estimate)
        report.keep("maps", table.set_index("image"))
        key = table["map"].iloc[0]
        means_table = {n.split(".")[1]: e for n, e in found.items() if n.endswith(".auprc") and "_minus_" not in n}
        fig = figures.forest(means_table, "pixel AUPRC", "Maps and floors")
        report.figure(fig, "place", caption=f"{len(pictures)} test images with masks, 95 % intervals by {images.unit}.")
        self._examples(pictures, table[table["map"] == key], main, layer)
        self.gates.append(
            audit.floor_gate(
                {
                    f: found[f"loc.{key}_minus_{f}.auprc"]
                    for f in own_measures.FLOORS
                    if f"loc.{key}_minus_{f}.auprc" in found
                }
            )
        )

    def _class_masks(self) -> np.ndarray | None:
        """Mean mask of each class over training images with masks; None where there are none."""
        train = self.images.rows("train")
        train = train[self.images.dataset.table["mask_file"].to_numpy()[train] != ""] if len(train) else train
        train = self.images.sample(train, 500, self.asked.seed) if len(train) else train
        if not len(train):
            return None
        seen = self.images.pictures(train, self.labels)
        if not seen.masks.any():
            return None
        means = np.repeat(
            class_mean_mask(seen.masks), len(self.own.classes), axis=0
        )  # of a class without objects: of all
        for number in np.unique(seen.labels[seen.masks.any((1, 2))]):
            means[number] = class_mean_mask(seen.masks[seen.labels == number])[0]
        return means

    def _examples(self, pictures, rows: pd.DataFrame, main: str, layer) -> None:
        cases = figures.quantile_cases(rows["auprc"].to_numpy())
        if not cases:
            return
        few = pictures.where(np.isin(np.arange(len(pictures)), cases))
        order = [int(np.flatnonzero(few.names == pictures.names[c])[0]) for c in cases]
        e = explain(self.own.model, self.own.images(few.pixels), main, None, layer)
        lot = explain(
            own_measures.random_model(self.own, self.asked.seed), self.own.images(few.pixels), main, e.target, layer
        )
        side = few.masks.shape[-1]
        maps = {
            main: e.upsampled(main, None, side, relu=False, scale=None).numpy(),
            "centred blob": own_measures.floors.centred_gaussian(few.masks.shape),
            "brightest": own_measures.floors.brightest(few.pixels),
            "random weights": lot.upsampled(main, None, side, relu=False, scale=None).numpy(),
        }
        captions = [f"{self.own.classes[int(rows['predicted'].iloc[c])]}, {rows['auprc'].iloc[c]:.2f}" for c in cases]
        fig = figures.map_panel(few, order, maps, captions, f"{main}, from worst to best")
        rule = "5th, 50th and 95th percentile of pixel AUPRC; signed, one scale a column"
        self.report.figure(fig, "examples", caption=f"Named class and AUPRC at the left; {rule}.", patients=True)

    def verdict(self) -> None:
        """The gates in one table, and above everything what may be said."""
        report = self.report
        self.say("[6/6] the report")
        gates = audit.gate_table(*self.gates)
        report.heading("The gates")
        report.say("A map that fails a gate may be shown, never praised.")
        report.table("gates_all", gates, "Every rule with its figure")
        metrics = {name: e.to_dict() for name, e in report.metrics.items()}
        compared = comparisons([Report(Path(), "own_own", "own", "audit", 0, {}, metrics, {}, [])])
        with report.above():
            report.heading("What may be said")
            for sentence in headline(self.found, self.said, compared, gates):
                report.say(sentence)
            report.table("what_may_be_said", may_be_said(compared), "By map")
            if len(compared) and (compared["kind"] == "floor").any() and (compared["measure"] == "auprc").any():
                fig = figures_06.floors(hardest_floors(compared), "Maps minus the floor that is hardest for them")
                report.figure(fig, "hardest_floor", caption=f"95 % intervals by {self.images.unit}.")


def _groups(images: OwnImages) -> pd.Series:
    table = pd.DataFrame({"part": images.parts, "group": images.dataset.groups(images.group)})
    return table.groupby("part")["group"].nunique()
