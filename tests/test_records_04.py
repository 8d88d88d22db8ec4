"""What study 4 records about its classifiers: macro measures against scikit-learn, folds that failed, calibration."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from studylib.study import records_04

CLASSES = ("meningioma", "glioma", "pituitary")


def predictions(n=300, seed=0, skill=2.0, repeat=0, part="test") -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.choice(3, n, p=(0.25, 0.45, 0.3))
    logits = rng.normal(size=(n, 3)) + skill * np.eye(3)[label]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    table = pd.DataFrame(p, columns=[f"p_{name}" for name in CLASSES])
    guess = p.argmax(1)
    return table.assign(
        image=[f"{part}{repeat}_{i}" for i in range(n)], group=(np.arange(n) // 5).astype(str), label=label,
        predicted=guess, correct=(guess == label).astype(float), repeat=repeat,
    )  # fmt: skip


class Fits:
    """Predictions by (arm, split, part), as Fits gives them."""

    def __init__(self, tables: dict) -> None:
        self.tables = tables

    def has(self, arm, split="group"):
        return (arm, split, "test") in self.tables

    def predictions(self, arm, split="group", part="test"):
        return self.tables[arm, split, part]

    def select(self, arm, split="group"):
        repeats = sorted(set(self.tables[arm, split, "test"]["repeat"]))
        return [SimpleNamespace(run=SimpleNamespace(repeat=r, fold=r % 5)) for r in repeats]


def test_macro_measures_equal_scikit_learn():
    table = predictions()
    y, guess = table["label"], table["predicted"]
    assert records_04.macro_precision(y, guess) == pytest.approx(sk.precision_score(y, guess, average="macro"))
    assert records_04.macro_recall(y, guess) == pytest.approx(sk.recall_score(y, guess, average="macro"))
    weights = np.random.default_rng(1).integers(0, 3, len(y))
    kept = np.repeat(np.arange(len(y)), weights)
    assert records_04.macro_precision(y, guess, weights) == pytest.approx(
        sk.precision_score(y.iloc[kept], guess.iloc[kept], average="macro")
    )


def test_table_2_has_mean_and_deviation_over_folds_and_names_the_fold_that_failed():
    skills = (3.0, 3.0, 3.0, 0.3, 3.0)
    table = pd.concat([predictions(seed=r, skill=s, repeat=r) for r, s in enumerate(skills)], ignore_index=True)
    fits = Fits({("vgg16", "group", "test"): table})
    found = records_04.table_2(fits, ["vgg16"])
    row = found.loc[("vgg16", "group")]
    each = table.groupby("repeat")["correct"].mean()
    assert row["accuracy"] == f"{each.mean():.3f} ({each.std():.3f})" and row["networks"] == 5
    assert row["failed folds"] == f"3 ({each[3]:.3f})"
    assert found.loc[("vgg19", "source's table 2"), "accuracy"] == "0.950 (0.040)"


def test_main_arm_is_recorded_under_both_names_and_the_leak_is_leaky_minus_honest():
    honest, leaky = predictions(seed=1, skill=1.0), predictions(seed=2, skill=3.0)
    fits = Fits({("m", "group", "test"): honest, ("m", "random_folds", "test"): leaky})
    found = records_04.accuracies(fits, ["m"], "m")
    assert found["accuracy.group.main.test"] == found["accuracy.group.m.test"]
    assert found["accuracy.group.m.test"].value == pytest.approx(honest["correct"].mean())
    gap = records_04.leak_gaps(fits, ["m"])["leak.accuracy_gap.m"]
    assert gap.value == pytest.approx(leaky["correct"].mean() - honest["correct"].mean()) and gap.low > 0


def test_a_temperature_from_validation_lowers_the_error_of_an_overconfident_network():
    def sharp(seed, part):
        table = predictions(2000, seed=seed, skill=1.5, part=part)
        columns = [f"p_{name}" for name in CLASSES]
        p = table[columns].to_numpy() ** 3
        return table.assign(**dict(zip(columns, (p / p.sum(1, keepdims=True)).T, strict=True)))

    fits = Fits({("m", "group", "test"): sharp(1, "test"), ("m", "group", "validation"): sharp(2, "validation")})
    found, tables = records_04.calibrated(fits, "m", CLASSES, resamples=200)
    assert found["calibration.group.ece"].low > 0.05 > found["calibration.group.ece_scaled"].value
    assert found["calibration.group.brier"].value > found["calibration.group.brier_scaled"].value
    assert set(tables) == {"as trained", "with temperature"} and tables["as trained"]["n"].sum() == 2000


def test_networks_that_name_better_and_outline_better_have_tau_one():
    tables = {}
    for k in range(5):
        some = pd.DataFrame({"repeat": 0, "correct": np.r_[np.ones(5 + k), np.zeros(5 - k)], "iou_p95": 0.1 + 0.01 * k})
        tables[f"arm{k}", "group"] = some
    tau, rows = records_04.accuracy_with_iou(tables)
    assert tau.value == pytest.approx(1.0) and len(rows) == 5 and tau.unit == "network"


def test_counts_are_exact():
    labels = pd.DataFrame({"label": ["glioma", "glioma", "meningioma"]})
    found = records_04.counts(SimpleNamespace(table=labels, classes=["meningioma", "glioma", "pituitary"]))
    assert [found[f"counts.{n}"].value for n in ("images", "glioma", "pituitary")] == [3, 2, 0]


def test_the_sources_deviations_are_set_beside_sampling():
    text = records_04.deviations()
    for part in ("alexnet 0.086, 7.2 times", "vgg16 0.089, 8.5 times the 0.010", "vgg19 0.040, 4.5 times the 0.009"):
        assert part in text
