"""One image explained by a user's own model, with what its audit found: temperature, accuracy, gates that failed."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from studylib.cam import explain
from studylib.data.dataset import DataError
from studylib.data.transforms import prepare_image
from studylib.metrics import calibration
from studylib.metrics.intervals import Estimate
from studylib.study.one_image import DOUBT, Explained, place_of, readable, two_sided
from studylib.study.own_model import ModelError, load_model


def explain_own(path: Path, audit: Path, model: str, weights: Path | None) -> Explained:
    """Explain one image file by the model that was audited. Raises DataError for a folder that holds no audit or a file
    that is no picture, ModelError for other weights than those of the audit.
    """
    image, metrics, provenance = readable(path), _read(audit, "metrics.json"), _read(audit, "provenance.json")
    settings, found = metrics["settings"], metrics["metrics"]
    classes = tuple(settings["classes"])
    own = load_model(model, weights, classes, settings["size"], settings["mean"], settings["std"])
    if (known := next(iter(provenance["weights"].values()))) not in ("none given", own.digest):
        raise ModelError(f"weights {weights.name if weights else 'none'}: not those of {audit.name} ({known})")
    pixels = np.array(prepare_image(image, own.size, settings["crop"], 3))
    layers = tuple(settings["layers"]) or None
    e = explain(own.model, own.images(pixels[None]), tuple(settings["methods"]), None, layers)
    last = {method: layer for method, layer in e.maps}
    maps = {m: e.upsampled(m, last[m], relu=False, scale=None)[0].numpy() for m in settings["methods"]}
    degree = found["calibration.temperature"]["value"]
    logits = two_sided(e.logits.double()).numpy()
    p, raw = (calibration.probabilities_at(logits, t)[0] for t in (degree, 1.0))
    accuracy, main = Estimate.from_dict(found["model.accuracy"]), settings["methods"][0]
    told = [f"low confidence: the likeliest class has {100 * p.max():.0f} %, below {100 * DOUBT:.0f} %"]
    told = told if p.max() < DOUBT else []
    told += ["the map is flat: it marks no place"] if place_of(maps[main]) is None else []
    told += [f"its audit fails: {rule}" for rule in failed_gates(audit)]
    told.append("research and teaching only, not for diagnosis")
    named, layer = Path(model).name, last[main]
    return Explained(
        path.name, classes, p, raw, degree, maps, pixels, named, str(accuracy), told, spoken=main, layer=layer
    )


def _read(audit: Path, name: str) -> dict:
    try:
        return json.loads((audit / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        made = "make it with `python -m studylib audit`"
        raise DataError(f"{audit.name}/{name}: {error.__class__.__name__}; no audit is there, {made}") from error


def failed_gates(audit: Path) -> list[str]:
    """Gates of the map that failed, each once with how many of its rules."""
    with (audit / "tables" / "gates_all.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["outcome"] != "not applicable"]
    found = []
    for gate in dict.fromkeys(row["gate"] for row in rows):
        mine = [row for row in rows if row["gate"] == gate]
        if failed := sum(row["outcome"] == "fail" for row in mine):
            found.append(f"gate {gate}, {failed} of {len(mine)} rules")
    return found
