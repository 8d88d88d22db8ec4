"""Simple classifiers that see no anatomy: what they score, a network must beat, and what they tell is a shortcut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.data.transforms import crop_to_brain
from studylib.metrics.intervals import Estimate, auroc_by, mean_by
from studylib.study.train import Workshop

SIZE = 128  # pixels at which uncropped pictures are probed


def artefacts(pixels: np.ndarray) -> np.ndarray:
    """What augmentation leaves and anatomy does not: border brightness and smear, detail. uint8 (N, S, S) -> (N, 9)."""
    x = pixels.astype(np.float32) / 255
    edges = [x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]]
    inner = [x[:, 2], x[:, -3], x[:, :, 2], x[:, :, -3]]
    smear = [np.abs(edge - near) for edge, near in zip(edges, inner, strict=True)]
    detail = np.abs(np.diff(x, axis=1)).mean((1, 2)) + np.abs(np.diff(x, axis=2)).mean((1, 2))
    return np.stack([e.mean(1) for e in edges] + [s.mean(1) for s in smear] + [detail / x.mean((1, 2)).clip(1e-3)], 1)


def brightness(pixels: np.ndarray) -> np.ndarray:
    """Mean, deviation and three quantiles of brightness. uint8 (N, S, S) -> (N, 5)."""
    x = pixels.reshape(len(pixels), -1).astype(np.float32) / 255
    return np.column_stack([x.mean(1), x.std(1), np.quantile(x, (0.5, 0.9, 0.99), axis=1).T])


def frames(workshop: Workshop, rows: np.ndarray) -> np.ndarray:
    """Shape of the picture and what the crop keeps of it. -> (N, 3): height over width, share kept, height over width
    of the crop.
    """
    found = []
    for row in rows:
        image = workshop.dataset().image(int(row))
        left, top, right, bottom = crop_to_brain(image)[1]
        kept = (right - left) * (bottom - top) / (image.shape[0] * image.shape[1])
        found.append((image.shape[0] / image.shape[1], kept, (bottom - top) / max(right - left, 1)))
    return np.array(found)


def cross_validated(
    workshop: Workshop, features: np.ndarray, labels: np.ndarray, groups: np.ndarray, scores: str
) -> np.ndarray:
    """Scores of a logistic regression for images whose group it was not fitted on. features: (N, F); scores: the method
    of scikit-learn's classifier that gives them, "decision_function" or "predict_proba".
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedGroupKFold(workshop.profile.folds, shuffle=True, random_state=workshop.seed)
    return cross_val_predict(model, features, labels, groups=groups, cv=folds, method=scores)


def probe(workshop: Workshop, rows: np.ndarray, features: np.ndarray, what: str, **how) -> Estimate:
    """AUROC of a logistic regression on simple features, cross-validated by group. features: (len(rows), F)"""
    dataset = workshop.dataset()
    labels, groups = workshop.labels(dataset)[0][rows], workshop.group_of(dataset)[rows]
    scores = cross_validated(workshop, features, labels, groups, "decision_function")
    names = dataset.table["image"].to_numpy().astype(str)[rows]
    table = pd.DataFrame({"image": names, "label": labels, "score": scores, "group": groups})
    text = f"AUROC of a logistic regression on {what}, cross-validated by group"
    return auroc_by(table, "label", "score", how=text, **how)


def whole_frames(workshop: Workshop) -> np.ndarray:
    """Every picture uncropped, uint8 (N, SIZE, SIZE)."""
    return workshop.pixels(workshop.dataset(), SIZE, "none")[0]


def shortcut_probes(workshop: Workshop, **how) -> dict[str, Estimate]:
    """AUROC of artefacts on copies, of brightness and of the frame on originals: shortcuts that one can see."""
    pixels, copies = whole_frames(workshop), workshop.dataset().copies()
    originals, augmented = np.flatnonzero(~copies), np.flatnonzero(copies)
    found = {
        "shortcut.brightness.auroc": probe(workshop, originals, brightness(pixels[originals]), "brightness", **how)
    }
    shape = frames(workshop, originals)
    found["shortcut.frame.auroc"] = probe(workshop, originals, shape, "picture shape and share kept by the crop", **how)
    if len(augmented):
        marks = artefacts(pixels[augmented])
        found["artefact.auroc"] = probe(workshop, augmented, marks, "borders and blur of the copies", **how)
    return found


def crop_failures(workshop: Workshop, low: float = 0.25, high: float = 0.99, **how) -> Estimate:
    """Share of images whose crop keeps less than a quarter of the frame, or all of it."""
    dataset = workshop.dataset()
    kept = frames(workshop, np.arange(len(dataset)))[:, 1]
    failed = ((kept < low) | (kept > high)).astype(float)
    table = pd.DataFrame({"failed": failed, "group": workshop.group_of(dataset)})
    return mean_by(table, "failed", how=f"crop keeps < {low:.0%} or > {high:.0%} of the frame", **how)
