"""Which trained networks lie on this machine, by study, images and profile; nothing is trained to find out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from studylib.models.registry import learns
from studylib.study.fits import Fits, Trained
from studylib.study.plan import Run, runs_of
from studylib.study.settings import DATA, Profile, Settings, load_settings, studies
from studylib.study.train import Workshop

MARKS = ("model", "crop", "fold", "seed", "image_size", "epochs")  # of a specification
REAL = "real"
IMAGES = {"phantom": "drawn images (phantoms)", "real": "real images"}


@dataclass(frozen=True)
class Collection:
    """The networks of one study on one kind of images in one profile."""

    study: str
    data: str
    profile: str
    name: str = ""
    title: str = ""

    @property
    def images(self) -> str:
        """How a list names its images."""
        return f"{IMAGES[self.data]}, {self.profile}"

    @property
    def command(self) -> str:
        """What trains its networks."""
        return training_command(self.study, self.data, self.profile)


def training_command(study: str, data: str = "phantom", profile: str = "quick") -> str:
    """What a person types to train the networks of a study; what is the default is left out."""
    more = (f" DATA={data}" if data != "phantom" else "") + (f" PROFILE={profile}" if profile != "quick" else "")
    return f"make networks STUDY={study}{more}"


def collections(root: Path, runs: Path, seed: int = 0) -> list[Collection]:
    """Every collection of which at least one finished network lies under `runs`, in the order of the studies.

    Read from the specifications beside the weights: no data set is opened, so that a list is there at once. Whether a
    network still fits its settings and code is known only when the collection is opened (`networks`).
    """
    found = []
    for study in studies(root):
        if not any((runs / study).glob("*/spec.json")):
            continue
        settings = load_settings(study, root)
        there = _finished(settings, runs)
        for data in DATA:
            for name, profile in settings.profiles.items():
                asked = {mark_of(run, profile, data) for run in shown_runs(settings, profile, data, seed)}
                # what is trained on drawn images in a run on real ones stands beside them, never alone
                if any(mark in there for mark in asked if data == "phantom" or mark[-1] == REAL):
                    found.append(Collection(study, data, name, settings.name, settings.title))
    return found


def _finished(settings: Settings, runs: Path) -> set[tuple]:
    """What tells the finished networks of a study from each other without their images. Two arms may share one network
    (names of arms do not count in its key), so the arm is not part of it.
    """
    kept = [json.loads(path.read_text()) for path in (runs / settings.study).glob("*/spec.json")]
    return {(*(spec[name] for name in MARKS), _images(settings, spec["dataset"])) for spec in kept}


def _images(settings: Settings, dataset: str) -> str:
    """The variant in the name of a phantom set, FAMILY-VARIANT-HASH; REAL for any other."""
    if not dataset.startswith(f"{settings.phantom}-"):
        return REAL
    return dataset.removeprefix(f"{settings.phantom}-").rsplit("-", 1)[0]


def mark_of(run: Run, profile: Profile, data: str) -> tuple:
    """The same of a network that settings ask for."""
    arm = run.arm
    size, epochs = arm.image_size or profile.image_size, arm.epochs or profile.epochs
    images = arm.phantom if data == "phantom" or arm.phantom != "plain" else REAL
    return arm.model, arm.crop, run.fold, run.seed, size, epochs, images


def open_collection(collection: Collection, root: Path, runs: Path, seed: int = 0) -> tuple[Workshop, Fits]:
    """The workshop of a collection and its finished networks. Raises DataError where its real images are not here."""
    settings = load_settings(collection.study, root)
    workshop = Workshop(settings, collection.data, collection.profile, seed, runs)
    return workshop, networks(workshop)


def shown_runs(settings: Settings, profile: Profile, data: str, seed: int) -> list[Run]:
    """The networks that learn labels: others (told outlines or boxes) have no class to explain."""
    return [run for run in runs_of(settings.arms, profile, data, seed) if learns(run.arm.model) == "labels"]


def networks(workshop: Workshop) -> Fits:
    """The networks of a collection that are finished, by these very settings and this very code; main arm first."""
    main, there = workshop.profile.main.get(workshop.data, ""), _finished(workshop.settings, workshop.folder)
    found = []
    for run in shown_runs(workshop.settings, workshop.profile, workshop.data, workshop.seed):
        if mark_of(run, workshop.profile, workshop.data) in there:  # else no images are drawn only to look for it
            found.append(Trained(run, workshop.fit_of(workshop.examples(run)[0])))
    found = [trained for trained in found if trained.fit.whole]
    return Fits(sorted(found, key=lambda trained: trained.run.arm.name != main))


def said(run: Run) -> str:
    """How a list names one network of an arm."""
    leaky = "" if run.split == "group" else f", {run.split.replace('_', ' ')}"
    return f"fold {run.fold + 1}, seed {run.seed}{leaky}"
