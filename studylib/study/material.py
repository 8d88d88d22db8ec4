"""The images of a study: phantoms made once under a lock, or the real sets under $STUDYLIB_DATA; checked before use."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path

from studylib.data import catalogue
from studylib.data.dataset import Dataset, join_datasets, load_dataset
from studylib.study.settings import Profile, Settings
from studylib.training.locks import lock
from studylib.training.spec import code_digest

# family -> where it is drawn
FAMILIES = {
    "brain": "studylib.data.phantoms.brain:make_brain",
    "tumours": "studylib.data.phantoms.tumours:make_tumours",
    "cells": "studylib.data.phantoms.cells:make_cells",
    "cervix": "studylib.data.phantoms.cervix:make_cervix",
    "skin": "studylib.data.phantoms.skin:make_skin",
}


def phantom_set(settings: Settings, profile: Profile, variant: str, seed: int) -> tuple[str, dict]:
    """What a set of phantoms is called, by a hash of all that decides it, and what its generator is asked for."""
    module, _ = FAMILIES[settings.phantom].split(":")
    base = variant.removesuffix("_free")
    asked = dict(profile.phantom if base == "plain" else profile.variants[base]) | {"seed": seed}
    if variant.endswith("_free"):  # the same patients, the cue set free of the label
        asked["mode"] = "dissociated"
    text = json.dumps([asked, code_digest((module,))], sort_keys=True)
    return f"{settings.phantom}-{variant}-{hashlib.sha256(text.encode()).hexdigest()[:12]}", asked


def phantom_folder(settings: Settings, profile: Profile, variant: str, seed: int, runs: Path) -> Path:
    """Draw a phantom set unless it lies there already; its name holds a hash of all that decides it. -> its folder."""
    module, function = FAMILIES[settings.phantom].split(":")
    name, asked = phantom_set(settings, profile, variant, seed)
    folder = runs / "phantoms" / name
    with lock(runs / "phantoms" / ".locks" / name):
        if not (folder / "metadata.csv").exists():
            if isinstance(asked.get("copies"), dict):
                asked["copies"] = {k: int(v) for k, v in asked["copies"].items()}
            getattr(importlib.import_module(module), function)(folder, **asked)
    return folder


def load_study_data(
    settings: Settings, profile: Profile, data: str, runs: Path, seed: int = 0, variant: str = "plain"
) -> Dataset:
    """The data set that a study trains on, validated: phantoms, or real sets, joined or, where the study keeps them
    apart, the first one and "real:NAME" the others. Raises DataError listing every problem.
    """
    cache, named = runs / ".cache", variant.removeprefix("real:")
    if data == "phantom" or variant not in ("plain", f"real:{named}"):
        return load_dataset(phantom_folder(settings, profile, variant, seed, runs), cache=cache)
    wanted = [named] if named != variant else settings.real[:1] if settings.apart else settings.real
    sets = [catalogue.load(name, group=settings.group, cache=cache) for name in wanted]
    if settings.relabel:
        sets = [one.relabelled(settings.relabel) for one in sets]
    return sets[0] if len(sets) == 1 else join_datasets("+".join(wanted), sets)


def load_external(settings: Settings, runs: Path) -> Dataset:
    """The real set that no network of the study was trained on."""
    return catalogue.load(settings.external, group=settings.external_group, cache=runs / ".cache")
