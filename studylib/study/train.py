"""From a plan to trained networks: rows and labels of each run, its FitSpec, one line of progress a finished fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from studylib.data.bounding_boxes import boxes_of
from studylib.data.dataset import Dataset
from studylib.data.folds import make_split, options_of
from studylib.data.splits import Split, shuffle_labels
from studylib.data.transforms import prepare_masks
from studylib.models.registry import begins_from, learns
from studylib.study.fits import Fits, Trained
from studylib.study.material import load_study_data
from studylib.study.plan import Run, runs_of
from studylib.study.settings import Profile, Settings
from studylib.training.examples import Examples
from studylib.training.locks import is_free
from studylib.training.pixels import load_pixels
from studylib.training.result import Fit
from studylib.training.spec import FitSpec

SHUFFLE, SHARE = 7_919, 104_729  # keep the draws of labels and of groups apart from the seeds of networks


class Workshop:
    """What all fits of one study, data and profile share: data sets, pixels, splits; each made when first asked for."""

    def __init__(self, settings: Settings, data: str, profile: str, seed: int, runs: Path) -> None:
        self.settings, self.data, self.seed, self.folder = settings, data, seed, runs
        self.profile: Profile = settings.profile(profile)
        self._datasets: dict[str, Dataset] = {}
        self._splits: dict[tuple, Split] = {}
        self._masks: dict[tuple, np.ndarray] = {}
        self._regions: dict[tuple, np.ndarray] = {}

    def runs(self) -> list[Run]:
        return runs_of(self.settings.arms, self.profile, self.data, self.seed)

    def dataset(self, variant: str = "plain") -> Dataset:
        if variant not in self._datasets:
            self._datasets[variant] = load_study_data(
                self.settings, self.profile, self.data, self.folder, self.seed, variant
            )
        return self._datasets[variant]

    def masks(self, dataset: Dataset, size: int, crop: str) -> np.ndarray:
        """The first region of a set at a size, bool (N, size, size); all False where a row has none. Read once."""
        key = (dataset.fingerprint, size, crop)
        if key not in self._masks:
            self._masks[key] = self.regions(dataset, size, crop) == dataset.first_region
        return self._masks[key]

    def pixels(self, dataset: Dataset, size: int, crop: str) -> tuple[np.ndarray, str]:
        """The images of a set as networks of this study see them, and a digest of them: grey, or in colour."""
        return load_pixels(dataset, size, crop, self.folder / ".cache", 3 if self.settings.colour else 1)

    def regions(self, dataset: Dataset, size: int, crop: str) -> np.ndarray:
        """The masks of a set at a size, values of its regions, uint8 (N, size, size); 0 where a row has none."""
        key = (dataset.fingerprint, size, crop)
        if key not in self._regions:
            self._regions[key] = prepare_masks(dataset, size, crop, missing=0)
        return self._regions[key]

    def named_regions(self, dataset: Dataset, size: int, crop: str, names: Sequence[str]) -> np.ndarray:
        """Where the regions of a set lie whose names begin with one of `names`, uint8 (N, size, size) of 0 and 1.

        Raises ValueError naming the regions that there are, if one is unknown.
        """
        words = {name.split()[0]: value for value, name in dataset.regions.items() if value}
        if unknown := [name for name in names if name not in words]:
            raise ValueError(f"{dataset.name} has no region '{unknown[0]}'; it has {', '.join(words) or 'none'}")
        values = [words[name] for name in names]
        return np.isin(self.regions(dataset, size, crop), values).astype(np.uint8)

    def group_of(self, dataset: Dataset) -> np.ndarray:
        return dataset.groups(self.settings.group)

    def labels(self, dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
        """Labels as class numbers, and the classes: of two the positive one is last, so that its logit is positive."""
        classes = sorted(dataset.classes, key=lambda name: name == self.settings.positive)
        place = np.array([classes.index(name) for name in dataset.classes])
        return place[dataset.labels()], tuple(classes)

    def split(self, run: Run) -> Split:
        """The split of a run. By group: folds drawn once a study, so that repeats test different groups."""
        seed = run.seed if run.split == "random_images" else self.seed  # drawn anew a repeat, or cut once in folds
        given = {"folds": self.profile.folds, "fold": run.fold, "seed": seed, "group": self.settings.group}
        options = {name: value for name, value in given.items() if name in options_of(run.split)}
        key = (run.split, run.arm.variant, *options.values())
        if key not in self._splits:
            self._splits[key] = make_split(run.split, self.dataset(run.arm.variant), **options)
        return self._splits[key]

    def examples(self, run: Run) -> tuple[FitSpec, Examples]:
        """The spec of a run and the rows that it is trained, chosen and tested on."""
        arm, profile, dataset = run.arm, self.profile, self.dataset(run.arm.variant)
        size = arm.image_size or profile.image_size
        pixels, digest = self.pixels(dataset, size, arm.crop)
        labels, classes = self.labels(dataset)
        groups = self.group_of(dataset)
        parts = keep_share(self.split(run).part, groups, arm.share, np.random.default_rng([run.seed, SHARE]))
        targets = labels
        if arm.labels == "shuffled":
            targets = shuffle_labels(labels, groups, np.random.default_rng([run.seed, SHUFFLE]))
        names = dataset.table["image"].to_numpy().astype(str)
        masks = boxes = None
        if learns(arm.model) == "masks":
            masks = prepare_masks(dataset, size, arm.crop)
        elif arm.guide:
            masks = self.named_regions(dataset, size, arm.crop, arm.guide_regions)
        elif arm.box_regions:
            boxes = boxes_of(self.named_regions(dataset, size, arm.crop, arm.box_regions), names)
        examples = Examples(pixels, names, groups, parts, labels, targets, classes, masks, boxes)
        return self._spec(run, dataset, digest, examples, size), examples

    def _spec(self, run: Run, dataset: Dataset, digest: str, examples: Examples, size: int) -> FitSpec:
        arm, profile = run.arm, self.profile
        options = dict(arm.options) | {"image_size": size}
        if learns(arm.model) == "labels" and (examples.outputs > 1 or arm.model in ("staged", "pyramid")):
            options.setdefault("outputs", examples.outputs)  # an arm may ask for more outputs than there are classes
        return FitSpec(
            study=self.settings.study,
            dataset=dataset.name,
            fingerprint=dataset.fingerprint,
            pixels=digest,
            rows=examples.digest(),
            arm=arm.name,
            split=run.split,
            fold=run.fold,
            seed=run.seed,
            model=arm.model,
            options=tuple(sorted(options.items())),
            image_size=size,
            crop=arm.crop,
            epochs=arm.epochs or profile.epochs,
            warmup=profile.warmup if arm.warmup < 0 else arm.warmup,
            batch_size=profile.batch_size,
            learning_rate=arm.learning_rate or profile.learning_rate,
            precision=arm.precision or profile.precision,
            augment=arm.augment,
            guide=arm.guide,
            balance=arm.balance,
            weights=begins_from(arm.model, options),
        )

    def fits(self, say: Callable[[str], None]) -> Fits:
        """Load every finished network and train what is missing; `say` gets one line a trained network."""
        self.train(say)
        runs = self.runs()
        return Fits([Trained(run, self.fit_of(self.examples(run)[0])) for run in runs])

    def fit_of(self, spec: FitSpec) -> Fit:
        return Fit(spec, self.folder / spec.study / spec.key)

    def train(self, say: Callable[[str], None], worker: int = 0, workers: int = 1) -> None:
        """Train what is missing, the longest first, so that no worker ends long after the others.

        Of several workers each begins with a network of its own; after that each takes the first that nobody holds.
        """
        specs, efforts = {}, {}
        for run in self.runs():
            spec, examples = self.examples(run)
            specs[spec.key], efforts[spec.key] = (spec, run), run.arm.cost * effort(spec, len(examples.rows("train")))
        todo = [key for key, (spec, _) in specs.items() if not self.fit_of(spec).whole]
        todo.sort(key=efforts.get, reverse=True)
        todo = todo[worker % workers :] + todo[: worker % workers]
        while todo:
            locks = {key: self.folder / specs[key][0].study / ".locks" / key for key in todo}
            key = next((key for key in todo if is_free(locks[key])), todo[0])
            todo.remove(key)
            spec, run = specs[key]
            if self.fit_of(spec).whole:  # another process made it meanwhile
                continue
            from studylib.training.fit import fit  # Lightning: ten seconds, only where something is trained

            began, epochs = time.perf_counter(), []
            fit(spec, self.examples(run)[1], self.folder, on_epoch=epochs.append)
            if not epochs:  # another process held it at that very moment, and finished it
                continue
            done = sum(self.fit_of(other).whole for other, _ in specs.values())
            say(f"[{done}/{len(specs)}] fit {spec.title}  {time.perf_counter() - began:.0f} s")


def effort(spec: FitSpec, images: int) -> int:
    """Pixels that a fit reads: how long it takes, up to a factor that networks of one study share."""
    return spec.image_size**2 * spec.epochs * images


def keep_share(parts: np.ndarray, groups: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Leave out training groups until `share` of them is left; the rest becomes "unused". parts, groups: (N,) str."""
    if share >= 1:
        return parts
    names = np.unique(groups[parts == "train"])
    kept = rng.permutation(names)[: max(1, round(share * len(names)))]
    return np.where((parts == "train") & ~np.isin(groups, kept), "unused", parts)
