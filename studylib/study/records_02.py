"""What study 2 records about classification: each function one family of its ledger's metrics, arms that were not
trained left out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from studylib.data.dataset import Dataset
from studylib.data.transforms import crop_to_brain
from studylib.metrics import calibration, classification
from studylib.metrics.intervals import Estimate, absolute_sum_by, exact, mean_by, of_columns, statistic_by, t_interval
from studylib.models.registry import build
from studylib.models.weights import count_parameters
from studylib.study import compare
from studylib.study.architecture import layer_table
from studylib.study.fits import Fits
from studylib.study.mapping import as_images

ORIGINALS = 253  # pictures of the first source, before augmentation
GATES = ("cam", "channel", "channel_spatial", "weights")
PAIRS = [
    *((gate, "none") for gate in GATES),
    *(("cam", control) for control in ("frozen", "shuffled_channels", "shuffled_images")),
    ("pretrained", "plain"),
]
# what the source prints (tables 6.2 and 7.2), as fractions
STATED = {
    "cam validation": 0.9812,
    "cam test": 0.9487,
    "none validation": 0.887,
    "none test": 0.895,
    "plain validation": 0.85,
    "plain test": 0.84,
    "pretrained validation": 0.9103,
    "pretrained test": 0.8810,
}


def crop_pair(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture, and what the source's crop leaves of it."""
    return image, crop_to_brain(image)[0]


def dataset_counts(dataset: Dataset, data: str) -> dict[str, Estimate]:
    """Counts of the source's folder: images, from which source, share of tumours. Real runs only: phantoms have no
    source.
    """
    if data == "phantom":
        return {"data.phantom_images": exact(len(dataset), how="drawn for this run")}
    copies, yes = dataset.copies(), dataset.table["label"].to_numpy() == "yes"
    known = set(dataset.table["original"][~copies])
    outside = ~dataset.table["original"][copies].isin(known)
    return {
        "data.images": exact(copies.sum(), how="files of the augmented folder"),
        "data.originals": exact((~copies).sum(), how="untouched pictures"),
        "data.images_outside_first_source": exact(outside.sum(), how="copies of no picture of the first source"),
        "data.share_yes": exact(yes[copies].mean(), n=int(copies.sum()), unit="image"),
        "data.share_yes_originals": exact(yes[~copies].mean(), n=int((~copies).sum()), unit="image"),
    }


def split_shares(part: np.ndarray) -> dict[str, Estimate]:
    """Shares of the images in use that a split trains and tests on."""
    used = part != "unused"
    return {
        f"split.random_images.{name}": exact((part == name).sum() / used.sum(), n=int(used.sum()), unit="image")
        for name in ("train", "validation", "test")
    }


def network_facts() -> dict[str, Estimate]:
    """Every number of the source's table 3.2, from the network built at its 240 pixels."""
    plain, gated = layer_table("brain", 240), layer_table("brain", 240, gate="cam")
    model = build("brain", image_size=240)
    convolution = count_parameters(model.conv) + count_parameters(model.bn)
    found = {
        "input": 240,
        "channels": model.conv.in_channels,
        "outputs": model.fc.out_features,
        "conv_parameters": convolution,
        "pool1": plain.loc["pool1", "output"][1],
        "gate": gated.loc["gate", "output"][1],
        "pool2": plain.loc["pool2", "output"][1],
        "flatten": model.fc.in_features,
        "parameters": count_parameters(model),
    }
    return {f"network.{name}": exact(value, how="built at 240 pixels") for name, value in found.items()}


def kept_first_best(fits: Fits) -> Estimate:
    """Share of networks whose kept epoch is the first with the highest validation accuracy."""
    kept = [t.fit.best_epoch == int(t.fit.history["validation_accuracy"].idxmax()) + 1 for t in fits]
    return exact(np.mean(kept), n=len(kept), unit="network", how="kept epoch is the first maximum")


def warmup_epochs(fits: Fits, arm: str) -> Estimate:
    """Epochs that the networks of an arm were trained with the gate off."""
    found = {t.fit.spec.warmup for t in fits.select(arm)}
    return exact(found.pop() if len(found) == 1 else float("nan"), how="gate off, from the networks' specs")


def loss_difference(logits: pd.Series, labels: pd.Series) -> Estimate:
    """Largest difference between cross entropy on logits, as trained, and the source's BCELoss on probabilities;
    float64.
    """
    z, y = torch.tensor(logits.to_numpy()), torch.tensor(labels.to_numpy(), dtype=torch.float64)
    ours = torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="none")
    theirs = torch.nn.functional.binary_cross_entropy(torch.sigmoid(z), y, reduction="none")
    return exact(float((ours - theirs).abs().max()), n=len(y), unit="image", how="largest |difference|, float64")


def calibrated(fits: Fits, arm: str, **how) -> tuple[dict[str, pd.DataFrame], dict[str, Estimate]]:
    """Calibration on honest test pictures, as trained and with each network's temperature from its validation
    pictures.
    """
    test, validation = fits.predictions(arm), fits.predictions(arm, part="validation")
    temperatures = {r: calibration.temperature(v["logit"], v["label"]) for r, v in validation.groupby("repeat")}
    scaled = test["logit"] / test["repeat"].map(temperatures)
    test = test.assign(p_scaled=1 / (1 + np.exp(-scaled)))
    estimates, tables = {}, {}
    for column, name in (("p", ""), ("p_scaled", "_temperature")):
        key = f"calibration.group.{arm}.ece{name}"
        gaps = of_columns(calibration.gaps, "label", column)
        estimates[key] = absolute_sum_by(test, gaps, needs=[column], how=f"ece of label, {column}", **how)
        for measure in (calibration.brier, calibration.slope):
            key = f"calibration.group.{arm}.{measure.__name__}{name}"
            estimates[key] = statistic_by(test, of_columns(measure, "label", column), needs=[column], **how)
        usable = test[np.isfinite(test[column])]
        if len(usable):
            table = calibration.reliability(usable["label"], usable[column], bins=8)
            tables["as trained" if not name else "with temperature"] = table
    return tables, estimates


def source_accuracies(fits: Fits, **how) -> dict[str, Estimate]:
    """Accuracies of the source's tables on its own split, and the differences that it rests on."""
    split, found = "random_images", {}
    for arm in ("none", "cam", "plain", "pretrained"):
        if fits.has(arm, split):
            for part in ("validation", "test"):
                found[f"accuracy.{split}.{arm}.{part}"] = compare.rate_of(fits, arm, split, part, **how)
    found |= compare.differences(fits, [(gate, "none") for gate in GATES] + [("cam", "pretrained")], split, **how)
    found |= compare.differences(fits, [("cam", "pretrained")], split, "validation", **how)
    for rate in ("fpr", "fnr"):
        found[f"{rate}.{split}.cam_minus_none.test"] = compare.difference_of(
            fits, "cam", "none", split, rate=rate, **how
        )
    curves = [curve for _, curve in fits.history("cam", split).groupby("repeat")]
    at_15 = [curve.loc[curve["epoch"] == 15, "validation_accuracy"] for curve in curves]
    if all(len(value) for value in at_15):
        text = "validation accuracy after epoch 15, networks as units"
        found[f"accuracy.{split}.cam.validation_epoch15"] = t_interval([float(v.iloc[0]) for v in at_15], how=text)
    return found


def beside_source(estimates: dict[str, Estimate]) -> tuple[dict[str, Estimate], dict[str, float]]:
    """Our accuracies and the printed ones, by arm and part: what figure `source_tables` shows."""
    ours = {" ".join(name.split(".")[2:]): e for name, e in estimates.items() if name.startswith("accuracy.")}
    shown = {name: ours[name] for name in STATED if name in ours}
    return shown, {name: STATED[name] for name in shown}


def selection(fits: Fits, arm: str, **how) -> dict[str, Estimate]:
    """Accuracy on validation, which chose the epoch, minus on test, on both splits."""
    return {
        f"selection.{split}.validation_minus_test": compare.gap_between(fits, arm, ("validation", "test"), split, **how)
        for split in ("random_images", "group")
    }


def step_to_originals(fits: Fits, arm: str, **how) -> dict[str, Estimate]:
    """What the step from augmented copies, on which networks are trained, to untouched originals costs: accuracy on
    copies of unseen groups, and that minus accuracy on the originals of the same groups.
    """
    copies, originals = (fits.predictions(arm, part=part) for part in ("test_copies", "test"))
    text = f"accuracy of {arm} on copies minus on originals, the same unseen groups"
    return {
        f"accuracy.group.{arm}.test_copies": mean_by(copies, "correct", **how),
        f"shift.group.{arm}.copies_minus_originals": compare.difference_between(
            copies, originals, "correct", how=text, **how
        ),
    }


def reach(fits: Fits, arm: str, metrics: dict[str, Estimate], **how) -> str:
    """Whether an arm beats 90 % on unseen groups, and where it loses: ranking, threshold, copies against originals."""
    reached, ranking = metrics[f"accuracy.group.{arm}.test"], metrics[f"auroc.group.{arm}.test"]
    copies = metrics[f"accuracy.group.{arm}.test_copies"]
    step = metrics[f"shift.group.{arm}.copies_minus_originals"]
    verdict = "above" if reached.low > 0.9 else "below" if reached.high < 0.9 else "not surely above"
    found, alarms = (compare.rate_of(fits, arm, rate=rate, **how) for rate in ("sensitivity", "fpr"))
    own = compare.rate_of(fits, arm, part="train", **how)
    told = "costs accuracy" if step.low > 0 else "gains accuracy" if step.high < 0 else "is not shown to cost any"
    return (
        f"Accuracy on untouched pictures of unseen groups: {reached}, {verdict} 90 %. Ranking alone: AUROC {ranking}; "
        f"at the source's threshold of 0.5 it calls {found} of the tumours and {alarms} of the others a tumour. "
        f"Training pictures are augmented copies, darker than originals; on copies of the same unseen groups it is "
        f"right on {copies}, so that the step from copies to originals {told} ({step}). On its own training pictures: "
        f"{own}."
    )


def pies(table: pd.DataFrame, **how) -> tuple[dict[str, tuple[float, float]], dict[str, Estimate]]:
    """The source's two pies from test predictions, and how far each slice lies from what it was taken for."""

    def share_of_correct(label, predicted, weights=None):
        return classification.positive_share_of_correct(label, predicted, weights)

    def share_of_wrong(label, predicted, weights=None):
        return classification.false_negative_share(label, predicted, weights)

    def minus_sensitivity(label, predicted, weights=None):
        return share_of_correct(label, predicted, weights) - classification.sensitivity(label, predicted, weights)

    def minus_specificity(label, predicted, weights=None):
        return 1 - share_of_correct(label, predicted, weights) - classification.specificity(label, predicted, weights)

    measures = {
        "pie.correct_yes": share_of_correct,
        "pie.wrong_yes": share_of_wrong,
        "pie.correct_yes_minus_sensitivity": minus_sensitivity,
        "pie.correct_no_minus_specificity": minus_specificity,
    }
    found = {name: statistic_by(table, of_columns(m, "label", "predicted"), **how) for name, m in measures.items()}
    values = {name: found[f"pie.{name}_yes"].value for name in ("correct", "wrong")}
    return {name: (v, 1 - v) for name, v in values.items()}, found


def error_rates(fits: Fits, arm: str, **how) -> dict[str, Estimate]:
    """Sensitivity, specificity and false-negative minus false-positive rate on honest test pictures, in place of the
    pies.
    """

    def fnr_minus_fpr(label, predicted, weights=None):
        return classification.specificity(label, predicted, weights) - classification.sensitivity(
            label, predicted, weights
        )

    table, named = fits.predictions(arm), {}
    for measure in (classification.sensitivity, classification.specificity):
        named[f"{measure.__name__}.group.{arm}.test"] = statistic_by(
            table, of_columns(measure, "label", "predicted"), **how
        )
    named[f"fnr_minus_fpr.group.{arm}.test"] = statistic_by(
        table, of_columns(fnr_minus_fpr, "label", "predicted"), **how
    )
    return named


@torch.inference_mode()
def sensitivity_elsewhere(
    fits: Fits, pictures_for, arms: tuple[str, ...] = ("cam", "none", "pretrained"), **how
) -> dict[str, Estimate]:
    """Share of tumour slices of another set that each arm calls a tumour. pictures_for: network -> Pictures."""
    found = {}
    for arm in arms:
        if not fits.has(arm):
            continue
        tables = []
        for t in fits.select(arm):
            pictures, model = pictures_for(t), t.fit.model()
            logits = [model(as_images(pictures.pixels[i : i + 64]))[:, -1] for i in range(0, len(pictures), 64)]
            row = {
                "image": pictures.names,
                "group": pictures.groups,
                "called": (torch.cat(logits) > 0).double().numpy(),
            }
            tables.append(pd.DataFrame(row))
        found[f"sensitivity.figshare.{arm}"] = mean_by(pd.concat(tables, ignore_index=True), "called", **how)
    return found


def recall_by_truth(fits: Fits, dataset: Dataset, arm: str) -> pd.DataFrame:
    """Share of planted lesions that honest networks found, by plane, look, and third of contrast and of area; empty
    on real images.
    """
    known = [c for c in ("plane", "look", "lesion_contrast", "lesion_area") if c in dataset.table]
    table = fits.predictions(arm).merge(dataset.table[["image", *known]], on="image")
    table = table[table["label"] == 1]
    rows = []
    for column in known:
        values = table[column]
        if column.startswith("lesion_"):
            thirds = pd.qcut(
                values.astype(float).rank(method="first"), 3, labels=["lowest third", "middle third", "highest third"]
            )
            values = thirds.astype(str)
        for name, found in table.groupby(values)["predicted"]:
            rows.append({"attribute": column, "value": name, "lesions": len(found), "found": found.mean()})
    return pd.DataFrame(rows, columns=["attribute", "value", "lesions", "found"]).set_index("attribute")
