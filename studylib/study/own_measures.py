"""What an audit measures of a user's own model: the classifier first, then its maps beside floors, removal, random
weights, small changes, choices. Every function gives estimates under the names that all reports share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from studylib.cam import explain, prepare
from studylib.metrics import calibration, floors
from studylib.metrics.intervals import Estimate, absolute_sum_by, difference_by, mean_by, of_columns
from studylib.metrics.sanity import randomised
from studylib.metrics.stability import noisy, shifted
from studylib.study.by_class import named_classes
from studylib.study.faithful import CURVES, areas, floor_orders
from studylib.study.likeness import SMALL, beside_pairs, excesses
from studylib.study.mapping import Pictures
from studylib.study.methods import INTERPOLATIONS, upsampled
from studylib.study.own_images import OwnImages
from studylib.study.own_model import BATCH, OwnModel
from studylib.study.segmenting import measures

PLACE = ("auprc", "iou_matched", "pointing", "energy_inside")
FLOORS = ("centre", "class_mean", "brightest", "darkest", "sobel", "random", "random_weights")
TREES, FOLDS = 100, 5
SINGLY = 8  # layers that are drawn anew one at a time: each takes a pass over the images


def predictions(own: OwnModel, images: OwnImages, rows: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """What the model says of some rows, read in batches: image, group, label, a probability of each class, predicted,
    correct. labels: of all rows, class numbers of the model.
    """
    p = np.concatenate([own.predict(images.pixels(rows[i : i + 64])) for i in range(0, len(rows), 64)])
    chosen = images.dataset.select(rows)
    table = pd.DataFrame({"image": chosen.table["image"].to_numpy(str), "group": chosen.groups(images.group)})
    said = p.argmax(1)
    table = table.assign(label=labels[rows], predicted=said, correct=(said == labels[rows]).astype(float), repeat=0)
    return table.join(pd.DataFrame(p, columns=[f"p_{name}" for name in own.classes]))


def classified(table: pd.DataFrame, classes: Sequence[str], **how) -> dict[str, Estimate]:
    """Accuracy, balanced accuracy, macro F1 and AUROC by group."""
    found = named_classes(table, "model", classes, "own", **how)
    return {f"model.{name.split('.')[0]}": e for name, e in found.items()}


def calibrated(
    table: pd.DataFrame, validation: pd.DataFrame | None, classes: Sequence[str], **how
) -> tuple[dict[str, Estimate], float]:
    """ECE of the likeliest class as it stands and with one temperature, which validation images choose, or, without
    any, the other half of the groups. -> (estimates, temperature)
    """
    columns = [f"p_{name}" for name in classes]
    logits = np.log(table[columns].to_numpy().clip(1e-7))
    if validation is not None and len(validation):
        degree = calibration.temperature(
            np.log(validation[columns].to_numpy().clip(1e-7)), validation["label"].to_numpy()
        )
        degrees, by = np.full(len(table), degree), "from validation images"
    else:
        groups = np.unique(table["group"])
        half = np.isin(
            table["group"], np.random.default_rng([how.get("seed", 0), 2]).permutation(groups)[: len(groups) // 2]
        )
        degrees = np.ones(len(table))
        for side in (half, ~half):
            if side.any() and (~side).any():
                degrees[side] = calibration.temperature(logits[~side], table["label"].to_numpy()[~side])
        by = "from the other half of the groups"
    degrees = np.where(np.isfinite(degrees), degrees, 1.0)
    scaled = np.stack(
        [calibration.probabilities_at(row[None], degree)[0] for row, degree in zip(logits, degrees, strict=True)]
    )
    found = {}
    for name, p, text in (("ece", table[columns].to_numpy(), ""), ("ece_scaled", scaled, f", one temperature {by}")):
        right, top = calibration.top_label(table["label"], p)
        rows = table.assign(right=right, top=top)
        gaps = of_columns(calibration.gaps, "right", "top")
        found[f"calibration.{name}"] = absolute_sum_by(rows, gaps, how=f"ECE of the likeliest class{text}", **how)
    return found, float(np.median(degrees))


def simple_features(images: OwnImages, table: pd.DataFrame, rows: np.ndarray, classes: Sequence[str], **how):
    """AUROC of a forest on mean colour, its spread and the picture's size, cross-validated by group: what a network
    must beat. -> Estimate, or why there is none
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    per_class = table.groupby("label")["group"].nunique()
    folds = int(min(FOLDS, per_class.min())) if len(per_class) > 1 else 0
    if folds < 2 or len(per_class) < len(classes):
        return "simple features need every class in two groups or more"
    small = images.pixels(rows, 32).reshape(len(rows), -1, 3) / 255
    sizes = np.array([images.dataset.image(int(row)).shape[:2] for row in rows])
    features = np.column_stack([small.mean(1), small.std(1), sizes])
    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=how.get("seed", 0))
    forest = RandomForestClassifier(TREES, min_samples_leaf=5, random_state=how.get("seed", 0))
    p = cross_val_predict(forest, features, table["label"], groups=table["group"], cv=cut, method="predict_proba")
    told = table[["image", "group", "label"]].assign(
        predicted=p.argmax(1), **{f"p_{c}": p[:, i] for i, c in enumerate(classes)}
    )
    return classified(told, classes, **how)["model.auroc"]


def key_of(method: str, layer: str, several: bool) -> str:
    """How names of numbers spell a map: the layer only where there are several."""
    return method.replace("+", "p") + (f"_{layer.replace('.', '_')}" if several else "")


def map_table(own: OwnModel, pictures: Pictures, methods: Sequence[str], layers: Sequence[str] | None) -> pd.DataFrame:
    """How well each map of the predicted class finds the mask: a row an image, method and layer; no more than a batch
    of maps is held.
    """
    side, tables = pictures.masks.shape[-1], []
    for start in range(0, len(pictures), BATCH):
        part = pictures.where(np.arange(len(pictures)) // BATCH == start // BATCH)
        e = explain(own.model, own.images(part.pixels), tuple(methods), None, layers)
        several = len({layer for _, layer in e.maps}) > 1
        for method, layer in e.maps:
            maps = e.upsampled(method, layer, side, relu=False, scale=None).numpy()
            row = {"image": part.names, "group": part.groups, "label": part.labels, "predicted": e.target.numpy()}
            columns = row | measures(maps, part.masks, PLACE)
            tables.append(pd.DataFrame(columns).assign(map=key_of(method, layer, several), method=method, layer=layer))
    return pd.concat(tables, ignore_index=True)


def random_model(own: OwnModel, seed: int) -> torch.nn.Module:
    """The model with every weight drawn anew."""
    *_, (_, model) = randomised(own.model, True, seed)
    return model.eval()


def floor_table(
    own: OwnModel, pictures: Pictures, table: pd.DataFrame, means: np.ndarray | None, method: str, layer, seed: int
):
    """The same measures of every floor, and of the map of random weights. means: mean mask of each class over training
    images (K, S, S), where there are some.
    """
    shape = pictures.masks.shape
    first = table[table["map"] == table["map"].iloc[0]].reset_index(drop=True)
    maps = {
        "centre": floors.centred_gaussian(shape), "brightest": floors.brightest(pictures.pixels),
        "darkest": floors.darkest(pictures.pixels), "sobel": floors.sobel(pictures.pixels),
        "random": floors.uniform_random(shape, seed),
    }  # fmt: skip
    if means is not None:
        maps["class_mean"] = means[first["predicted"].to_numpy(copy=True)]
    e = explain(
        random_model(own, seed),
        own.images(pictures.pixels),
        method,
        first["predicted"].to_numpy(copy=True),
        layer,
        batch_size=BATCH,
    )
    maps["random_weights"] = e.upsampled(method, None, shape[-1], relu=False, scale=None).numpy()
    row = first[["image", "group"]]
    return pd.concat(
        [row.assign(map=n, **measures(m, pictures.masks, PLACE)) for n, m in maps.items()], ignore_index=True
    )


def localised(table: pd.DataFrame, floor_rows: pd.DataFrame, **how) -> dict[str, Estimate]:
    """Mean of every measure for every map and floor, and each map minus each floor, paired by image."""
    both, found = pd.concat([table, floor_rows], ignore_index=True), {}
    names = list(dict.fromkeys(table["map"]))
    for measure in PLACE:
        wide = both.pivot(index=["image", "group"], columns="map", values=measure).reset_index()
        for name in (*names, *[f for f in FLOORS if f in wide]):
            found[f"loc.{name}.{measure}"] = mean_by(wide, name, how=f"{measure} of {name}", **how)
        for name in names:
            for floor in (f for f in FLOORS if f in wide):
                text = f"{measure} of {name} minus {floor}, paired by image"
                found[f"loc.{name}_minus_{floor}.{measure}"] = difference_by(wide, name, floor, how=text, **how)
    return found


def removed(own: OwnModel, pictures: Pictures, methods: Sequence[str], steps: int, **how) -> dict[str, Estimate]:
    """Area under deletion and insertion of every map minus that of every floor, for the class that was said."""
    images, seed = own.images(pictures.pixels), how.get("seed", 0)
    e = explain(own.model, images, tuple(methods), None, batch_size=BATCH)
    model, said = prepare(own.model), e.target
    last = {method: layer for method, layer in e.maps}
    orders = {m: e.upsampled(m, last[m], images.shape[-1], relu=False, scale=None).numpy() for m in methods}

    def probability(part: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return own.probabilities(part, model).gather(1, said[rows, None])[:, 0]

    made, found = areas(probability, images, orders | floor_orders(pictures.pixels, seed), steps), {}
    for kind in CURVES:
        rows = pd.DataFrame(made[kind] | {"image": pictures.names, "group": pictures.groups})
        for method in methods:
            for floor in floor_orders(pictures.pixels[:1], seed):
                name = f"faith.{method.replace('+', 'p')}_minus_{floor}.{kind}"
                text = f"area under {kind}, {method} minus {floor}, class said, paired by image"
                found[name] = difference_by(rows, method, floor, how=text, **how)
    return found


def sane(own: OwnModel, pictures: Pictures, method: str, **how) -> dict[str, dict]:
    """How alike the map's size stays once weights are random, above 50 random pairs: `cascade` and `independent`."""
    images, seed = own.images(pictures.pixels), how.get("seed", 0)
    e = explain(own.model, images, method, None, batch_size=BATCH)
    before, said = e[method].abs().numpy(), e.target

    def after(model: torch.nn.Module) -> np.ndarray:
        return explain(model, images, method, said, batch_size=BATCH)[method].abs().numpy()

    *_, (name, last) = randomised(own.model, True, seed)
    whole = beside_pairs(pictures, before, after(last), seed, layer=name)
    singly = [
        beside_pairs(pictures, before, after(model), seed, layer=layer)
        for layer, model in randomised(own.model, False, seed, some_layers(own.model))
    ]
    return {
        "cascade": excesses(whole, "all weights random", **how),
        "independent": excesses(pd.concat(singly, ignore_index=True), "one layer random", **how),
    }


def some_layers(model: torch.nn.Module, most: int = SINGLY) -> list[str]:
    """Names of at most so many layers that own parameters, evenly from the head to the stem."""
    names = [name for name, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None]
    return [names[::-1][i] for i in np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int)]


def stable(own: OwnModel, pictures: Pictures, method: str, **how) -> dict[str, Estimate]:
    """Spearman of the map before and after a little noise and a small shift."""
    images, seed = own.images(pictures.pixels), how.get("seed", 0)
    said = explain(own.model, images, method, None, batch_size=BATCH).target

    def maps_of(part: torch.Tensor) -> torch.Tensor:
        return explain(own.model, part, method, said, batch_size=BATCH).upsampled(method, relu=False, scale=None)

    step = max(1, round(SMALL * images.shape[-1]))
    values = {
        "noise": noisy(maps_of, images, share=SMALL, rng=seed).spearman,
        "shift": shifted(maps_of, images, by=step).spearman,
    }
    rows = pd.DataFrame(values | {"image": pictures.names, "group": pictures.groups})
    return {name: mean_by(rows, name, how=f"Spearman of maps after {name}", **how) for name in values}


def choices(
    own: OwnModel, pictures: Pictures, methods: Sequence[str], layers: Sequence[str] | None
) -> dict[str, float]:
    """Mean pixel AUPRC by method, layer and interpolation."""
    e = explain(own.model, own.images(pictures.pixels), tuple(methods), None, layers, batch_size=BATCH)
    found, side = {}, pictures.masks.shape[-1]
    for method, layer in e.maps:
        for how in INTERPOLATIONS:
            values = measures(upsampled(e[method, layer], side, how), pictures.masks, ("auprc",))["auprc"]
            if np.isfinite(values).any():
                found[f"{method}, {layer}, {how}"] = float(np.nanmean(values))
    return found
