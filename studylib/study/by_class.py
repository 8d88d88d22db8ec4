"""What a classifier of several classes records: how often it names them right, whom it takes for whom, each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from studylib.metrics import classification
from studylib.metrics.intervals import (
    Estimate,
    auroc_by,
    difference_between,
    exact,
    mean_by,
    of_columns,
    statistic_by,
)
from studylib.study.fits import Fits

MEASURES = {
    "accuracy": classification.accuracy,
    "balanced_accuracy": classification.balanced_accuracy,
    "macro_f1": classification.macro_f1,
}


def named_classes(
    table: pd.DataFrame, name: str, classes: Sequence[str], part: str = "group", **how
) -> dict[str, Estimate]:
    """Accuracy, balanced accuracy, macro F1 and mean AUROC over classes. table: predictions, a row an image and network
    -> {name: Estimate}
    """
    found = {
        f"{key}.{part}.{name}.test": statistic_by(
            table, of_columns(measure, "label", "predicted"), how=f"{key.replace('_', ' ')} of {name}", **how
        )
        for key, measure in MEASURES.items()
    }
    found[f"auroc.{part}.{name}.test"] = auroc_by(
        table, "label", [f"p_{c}" for c in classes], how=f"AUROC of one class against the rest, mean, {name}", **how
    )
    return found


def every_arm(
    fits: Fits, arms: Sequence[str], main: str, classes: Sequence[str], measured: Callable[..., dict], **how
) -> dict[str, Estimate]:
    """What `measured` (predictions, arm, classes, split) finds of every arm on every split that it was trained on; of
    the main arm under `main` too.
    """
    found = {}
    for split in ("group", "random_folds"):
        for arm in (a for a in arms if fits.has(a, split)):
            made = measured(fits.predictions(arm, split), arm, classes, split, **how)
            found |= made
            if arm == main:
                found |= {name.replace(f".{arm}.", ".main."): e for name, e in made.items()}
    return found


def each_class(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Recall, F1 and AUROC of every class against the rest, and its precision (of images called so)."""
    found = {}
    for number, name in enumerate(classes):
        rows = table.assign(own=(table["label"] == number).astype(int), said=(table["predicted"] == number).astype(int))
        recall, told = rows[rows["own"] == 1], rows[rows["said"] == 1]
        key, text = name.lower(), f"images called {name} that are it"
        found[f"recall.{key}.test"] = mean_by(recall, "said", how=f"recall of {name}", **how)
        found[f"precision.{key}.test"] = mean_by(told, "own", how=text, **how) if len(told) else none_called(name)
        found[f"f1.{key}.test"] = statistic_by(
            rows, of_columns(classification.f1, "own", "said"), how=f"F1 of {name}", **how
        )
        found[f"auroc.{key}.test"] = auroc_by(rows, "own", f"p_{name}", how=f"AUROC of {name}, one to rest", **how)
    return found


def none_called(name: str) -> Estimate:
    """Precision of a class that no image was called."""
    return exact(float("nan"), n=0, how=f"no image was called {name}")


def leak(fits: Fits, arm: str, **how) -> dict[str, Estimate]:
    """Accuracy where images of one group stand on both sides minus on unseen groups."""
    if not fits.has(arm, "random_folds"):
        return {}
    tables = fits.predictions(arm, "random_folds"), fits.predictions(arm)
    text = f"accuracy of {arm}: images at random minus unseen groups"
    return {"leak.accuracy_gap": difference_between(*tables, "correct", how=text, **how)}


def confusion(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """True class in rows, named class in columns, per cent of the row."""
    found = pd.crosstab(table["label"], table["predicted"], normalize="index").reindex(
        index=range(len(classes)), columns=range(len(classes)), fill_value=0.0
    )
    names = [c.replace("_", " ") for c in classes]
    return (100 * found).set_axis(names, axis=0).set_axis(names, axis=1).rename_axis("true, per cent")
