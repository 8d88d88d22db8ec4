"""Model cards: numbers by hand from made predictions, where weights come from, what a card says against itself."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import write_dataset
from PIL import Image
from torch import nn

from studylib.data.dataset import load_dataset
from studylib.metrics.intervals import Estimate
from studylib.study import card_pages, model_cards
from studylib.study.claims import load_claims
from studylib.study.fits import Fits, Trained
from studylib.study.plan import Run
from studylib.study.report_folder import ReportFolder
from studylib.study.settings import Arm, load_settings
from studylib.training.examples import Examples

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("plain", "odd_one", "third")
SETTINGS, LEDGER = load_settings("01", ROOT), load_claims("01", ROOT)
GROUPS, EACH = 12, 3  # women, and images of each: one of each class


class MadeStudy(ReportFolder):
    """A study with settings and ledger of study 01, and everything else made by hand."""

    def __init__(self, folder: Path, data: str = "phantom") -> None:
        super().__init__(ROOT, SETTINGS.name, data, "quick", 0)
        self.settings, self.ledger, self.profile = SETTINGS, LEDGER, SETTINGS.profile("quick")
        self.main, self.unit = "small", "woman"
        self.how = {"unit": self.unit, "resamples": 50, "seed": 0}
        self._dataset = made_dataset(folder)
        words = ("reproduced", "undecided", "undecided", "not testable")
        self.verdicts = {str(i): SimpleNamespace(verdict=word) for i, word in enumerate(words)}
        self.workshop = SimpleNamespace(
            group_of=lambda dataset: dataset.groups(),
            labels=lambda dataset: (dataset.labels(), tuple(dataset.classes)),
            split=lambda _run: SimpleNamespace(how="fold 0 of 3, split by woman"),
            examples=lambda _run: (None, made_examples(self._dataset)),
        )
        self.metrics["primary.cam_minus_floor.auprc"] = estimate(-0.2, -0.3, -0.1)
        self.metrics["accuracy.group.small.test"] = estimate(0.75, 0.6, 0.9)
        self.metrics["accuracy.group.main.test"] = estimate(0.75, 0.6, 0.9)
        self.metrics["leak.main.gap"] = estimate(0.1, 0.0, 0.2)
        self.metrics["accuracy.group.small_pad.test"] = estimate(0.5, 0.4, 0.6)
        self.keep("gates_all", GATES)

    def dataset(self, _variant: str = "plain"):
        return self._dataset

    def settle_rest(self) -> None:
        """They are settled."""

    def headline(self) -> str:
        return "1 reproduced, 2 undecided, 1 not testable, of 4 statements"


GATES = pd.DataFrame(
    [
        ("0 leak", "no group, file or near-duplicate crosses the split", "0 cross", "pass"),
        ("2 floors", "above that of centre", "-0.4 [-0.5, -0.3]", "fail"),
        ("2 floors", "above that of random", "0.1 [0.05, 0.2]", "pass"),
        ("3 sanity", "every layer randomised", "0.0 [-0.1, 0.05]", "pass"),
        ("4 stability", "after noise", "0.9 [0.8, 1]", "pass"),
        ("5 planted truth", "true cue alone", "0.3 [0.2, 0.4]", "pass"),
        ("5 planted truth", "marker", "not planted in this run", "not applicable"),
        ("6 choices", "range over layers", "0.1 (a) to 0.4 (b), 9 choices", "not applicable"),
    ],
    columns=["gate", "rule", "figure", "outcome"],
).set_index("gate")


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 36, 12, "woman", "made")


def made_dataset(folder: Path):
    """36 pictures of 12 women, one of each class; the first woman's have no outline."""
    rows = []
    for kind in ("images", "masks"):
        (folder / "made" / kind).mkdir(parents=True, exist_ok=True)
    for i in range(GROUPS * EACH):
        name = f"{i:02d}.png"
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / "made" / "images" / name)
        Image.fromarray(np.ones((8, 8), np.uint8)).save(folder / "made" / "masks" / name)
        mask = f"masks/{name}" if i >= EACH else ""
        label = CLASSES[i % EACH]
        rows.append({"image": f"images/{name}", "label": label, "group": f"w{i // EACH:02d}", "mask": mask})
    told = {"title": "Made pictures", "licence": "CC0.", "citation": "Nobody, 2000.", "one_label_per_group": False}
    return load_dataset(write_dataset(folder / "made", rows, classes=list(CLASSES), **told))


def made_examples(dataset) -> Examples:
    """Women 0 to 5 train, 6 to 8 validate, 9 to 11 test."""
    names, groups, labels = dataset.groups("image"), dataset.groups(), dataset.labels()
    woman = np.array([int(group[1:]) for group in groups])
    parts = np.where(woman < 6, "train", np.where(woman < 9, "validation", "test"))
    return Examples(np.zeros((len(names), 4, 4), np.uint8), names, groups, parts, labels, labels, CLASSES)


def made_fit(wrong: int, *, model: str = "staged", digest: str = "", where: str = "none", **spec) -> SimpleNamespace:
    """A finished fit that takes the first `wrong` test images of class `odd_one` for `third`."""
    rows = []
    for i in range(GROUPS * EACH):
        part = ("validation", "test")[i % 2]
        said, label = i % EACH, i % EACH
        if part == "test" and label == 1 and wrong:
            said, wrong = 2, wrong - 1
        p = np.full(3, 0.1)
        p[said] = 0.8
        rows.append([f"{i:02d}", f"w{i // EACH:02d}", part, label, *p])
    columns = ["image", "group", "part", "label", *(f"p_{name}" for name in CLASSES)]
    given = {
        "learning_rate": 0.001, "batch_size": 8, "epochs": 5, "image_size": 64, "crop": "none", "optimiser": "adam",
        "augment": False, "guide": 0.0, "balance": "", "options": (("architecture", "small"), ("outputs", 3)),
    }  # fmt: skip
    return SimpleNamespace(
        spec=SimpleNamespace(model=model, weights=digest, **(given | spec)), seconds={"total": 61.6},
        predictions=pd.DataFrame(rows, columns=columns), model=lambda: nn.Linear(3, 2), weights_from=where,
        trained_in="float32", best_epoch=4,
    )  # fmt: skip


def made_fits(*fits: tuple[str, str, SimpleNamespace]) -> Fits:
    """Networks by arm, split and fit."""
    return Fits([
        Trained(Run(Arm(arm, "staged", why=f"why {arm}"), split, i, i, 0), fit) for i, (arm, split, fit) in
        enumerate(fits)
    ])  # fmt: skip


@pytest.fixture
def study(tmp_path, monkeypatch) -> MadeStudy:
    monkeypatch.setenv("STUDYLIB_REPORTS", str(tmp_path / "reports"))
    monkeypatch.delenv("STUDYLIB_REPORT", raising=False)
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)
    return MadeStudy(tmp_path)


@pytest.fixture
def fits() -> Fits:
    return made_fits(
        ("small", "group", made_fit(3)), ("small", "random_folds", made_fit(0)), ("small_pad", "group", made_fit(6))
    )


def test_numbers_are_those_of_the_predictions(study, fits):
    small, pad = model_cards.cards(study, fits)
    assert (small.arm, small.is_main, pad.arm, pad.is_main) == ("small", True, "small_pad", False)
    # 18 test images, 6 of each class: 3 of class odd_one are taken for another
    assert small.measured("accuracy").value == pytest.approx(15 / 18)
    assert small.measured("balanced accuracy").value == pytest.approx((1 + 0.5 + 1) / 3)
    assert pad.measured("accuracy").value == pytest.approx(12 / 18)
    assert small.measured("accuracy").low < 15 / 18 < small.measured("accuracy").high
    assert small.measured("AUROC").value > pad.measured("AUROC").value
    assert "calibration error after one temperature" in small.performance["group"]
    assert "calibration error after one temperature" not in pad.performance["group"]
    assert "calibration error" not in small.performance["random_folds"]


def test_the_calibration_error_by_hand(study):
    """Every answer is given with 0.8 and all are right: off by 0.2, with nothing to resample."""
    sure, main = made_fits(("sure", "group", made_fit(0)), ("small", "group", made_fit(0))), "small"
    for card in model_cards.cards(study, sure):
        assert card.measured("calibration error").value == pytest.approx(0.2)
        scaled = card.performance["group"].get("calibration error after one temperature")
        assert (scaled.value < 0.05) if card.arm == main else (scaled is None)


def test_no_error_in_few_groups_is_no_certainty(study, fits):
    perfect = model_cards.cards(study, fits)[0].performance["random_folds"]["accuracy"]
    assert perfect.value == 1 and perfect.high == 1
    assert perfect.low == pytest.approx(0.025 ** (1 / perfect.groups))


def test_a_card_holds_what_its_run_was(study, fits):
    small, _ = model_cards.cards(study, fits)
    assert small.parts == {"train": (18, 6), "validation": (9, 3), "test": (9, 3)}
    assert small.networks == {"group": 1, "random_folds": 1} and small.seeds == (0, 1) and small.count == 2
    assert small.parameters == small.trained_parameters == 8 and small.size == "8 numbers, all trained"
    assert small.seconds == pytest.approx(123.2) and small.begins == "random numbers"
    assert set(small.recorded) == {"accuracy.group.small.test", "leak.main.gap"}  # `main` only where no twin says it
    assert "Adam, learning rate 0.001; batches of 8; 5 epochs" in small.training


def test_the_page_says_everything_and_what_speaks_against_it(study, fits):
    small, pad = model_cards.cards(study, fits)
    text = card_pages.markdown(small, study)
    for part in (
        "# Model card: small", "why small; **the networks whose maps this study judges**",
        "`plain`, `odd_one`, `third`", "seeds 0 to 1", "123 in all", "| by group | accuracy | 0.833 [",
        "train 18 images of 6 women; validation 9 images of 3 women; test 9 images of 3 women",
        "| 2 floors | 1 | 2 |", "| 5 planted truth | 1 | 1 |", "drawn images only", "A network is tested on 3 women",
        "Fails gate 2 floors: above that of centre (-0.4 [-0.5, -0.3]).",
        "What is measured on `random_folds` is too good", "no answer of theirs is a diagnosis",
        "`make reproduce STUDY=01 DATA=phantom PROFILE=quick SEED=0` makes it again",
    ):  # fmt: skip
        assert part in text, part
    assert "6 choices" not in text and "{" not in text
    other = card_pages.markdown(pad, study)
    assert "these were not put through all of them" in other and "random_folds" not in other
    study.data = "real"
    assert "drawn images only" not in card_pages.markdown(small, study)


def test_cards_are_written_beside_the_report_and_nothing_is_recorded(study, fits):
    before = dict(study.metrics)
    card_pages.write(study, fits)
    study.put_in_place()
    folder = study.final / "cards"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "small.md", "small_pad.md"]
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert "| [small_pad](small_pad.md) | why small_pad | 1 | 0.667 [" in index
    table = pd.read_csv(study.final / "tables" / "model_cards.csv").set_index("family")
    assert table.loc["small", "networks"] == 2 and table.loc["small", "balanced accuracy"].startswith("0.833 [")
    assert study.metrics == before


def test_networks_that_outline_are_judged_by_dice(study):
    unet = made_fit(0, model="unet", options=())
    unet.predictions = unet.predictions.drop(columns=[f"p_{name}" for name in CLASSES]).assign(dice=0.5)
    fits = made_fits(("small", "group", made_fit(0)), ("unet", "group", unet))
    card = model_cards.card(study, fits, "unet")
    assert card.performance["group"]["Dice of its outlines"].value == pytest.approx(0.5)
    assert card.classes == () and "pixel by pixel" in card_pages.markdown(card, study)
    assert card_pages.overview([card]).loc["unet", "AUROC"] == "not measured"


def test_an_output_without_a_class_is_borne(study):
    """A network with more outputs than classes keeps some probability for itself: its named ones sum to less than 1."""
    spare = made_fit(0)
    columns = [f"p_{name}" for name in CLASSES]
    spare.predictions[columns] *= 0.5
    fits = made_fits(("small", "group", made_fit(0)), ("spare", "group", spare))
    card = model_cards.card(study, fits, "spare")
    assert card.measured("calibration error").value == pytest.approx(1 - 0.4)  # all right, said with 0.4


def test_where_weights_come_from(tmp_path, monkeypatch):
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)
    assert model_cards.weights_source("none", "") == "random numbers"
    assert "no pretrained weights were at hand" in model_cards.weights_source("scratch", "")
    assert "torchvision" in model_cards.weights_source("torchvision", "")
    assert "owner and licence are not known" in model_cards.weights_source("file", "abc123")
    entry = {"sha256": "abc123456", "source_repo": "owner/weights", "licence": "Apache-2.0"}
    (tmp_path / "index.json").write_text(json.dumps({"other": {"sha256": "fff"}, "mobile": entry}))
    monkeypatch.setenv("STUDYLIB_WEIGHTS", str(tmp_path))
    said = model_cards.weights_source("file", "abc123")
    assert said == "`mobile` from owner/weights; licence: Apache-2.0; SHA-256 `abc123`"
    assert "not known" in model_cards.weights_source("file", "999")


def test_the_main_arm_where_settings_name_none(study, fits):
    assert model_cards.main_arm(study, fits) == "small"
    study.main = ""
    study.settings = SimpleNamespace(primary="accuracy.group.small_pad_minus_small.test")
    assert model_cards.main_arm(study, fits) == "small_pad"
    study.settings = SimpleNamespace(primary="loc.crm_minus_cam")
    assert model_cards.main_arm(study, fits) == "small"


def test_training_names_what_is_special():
    fit = made_fit(0, augment=True, guide=1.0, balance="sampler")
    arm = Arm("x", "staged", guide_regions=("nucleus", "cytoplasm"), labels="shuffled", share=0.5)
    text = model_cards.training_of(Trained(Run(arm, "group", 0, 0, 0), fit))
    for part in ("moved and tinted", "evidence outside nucleus and cytoplasm penalised", "balanced by sampler",
                 "labels drawn by lot", "on 50% of the training groups"):  # fmt: skip
        assert part in text
