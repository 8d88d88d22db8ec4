"""A small search of hyper-parameters, as the source's steps 2 and 5 plan: head and learning rate alone, on features of
the frozen trunk, scored on inner folds of the training groups; what it promises there, and what it gives on test cells.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from studylib.metrics.classification import balanced_accuracy
from studylib.metrics.intervals import Estimate, difference_between, difference_by, of_columns, statistic_by
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, as_images
from studylib.study.train import Workshop

TRIALS, INNER = 12, 3
HEADS = {"linear": (), "one hidden layer of 32": (32,), "one hidden layer of 128": (128,)}
RATES = (1e-4, 1e-1)
DEFAULT = {"head": "linear", "learning_rate": 1e-3}
EPOCHS = 60


@dataclass(frozen=True)
class Search:
    """history: one row a trial, in order; chosen: its best; test: what the default and the chosen head say of the test
    cells, rows of predictions with columns default and tuned (1 where right).
    """

    history: pd.DataFrame
    chosen: dict
    test: pd.DataFrame


def searched(workshop: Workshop, fits: Fits, arm: str) -> Search:
    """Search on the training and validation cells of the first network of an arm, then judge on its test cells."""
    import optuna

    trained = fits.select(arm)[0]
    features, labels, groups, part = _material(workshop, trained)
    inner = np.flatnonzero(part != "test")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=workshop.seed))

    def objective(trial: optuna.Trial) -> float:
        head = trial.suggest_categorical("head", list(HEADS))
        rate = trial.suggest_float("learning_rate", *RATES, log=True)
        return _inner_score(features[inner], labels[inner], groups[inner], head, rate, workshop.seed)

    study.enqueue_trial(DEFAULT)
    study.optimize(objective, n_trials=TRIALS)
    rows = [{"trial": t.number, **t.params, "inner balanced accuracy": t.value} for t in study.trials]
    history = pd.DataFrame(rows).set_index("trial")
    history["best so far"] = history["inner balanced accuracy"].cummax()
    test, row = np.flatnonzero(part == "test"), {}
    for name, asked in (("default", DEFAULT), ("tuned", study.best_params)):
        model = _model(asked["head"], asked["learning_rate"], workshop.seed)
        row[f"said_{name}"] = _fitted(model, features[inner], labels[inner]).predict(features[test])
        row[name] = (row[f"said_{name}"] == labels[test]).astype(float)
    return Search(history, study.best_params, pd.DataFrame({"group": groups[test], "label": labels[test]} | row))


def _material(workshop: Workshop, trained: Trained) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pooled features of a trunk that saw no cell of the study's test part (pretrained, or random: the network before
    training), labels, groups and parts of every cell.
    """
    from studylib.models.registry import build

    spec, dataset = trained.fit.spec, workshop.dataset()
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        model = build(spec.model, **dict(spec.options)).eval()
    pixels = workshop.pixels(dataset, spec.image_size, spec.crop)[0]
    with torch.inference_mode():
        parts = [model.upper(model.features(as_images(np.array(pixels[i : i + BATCH])))).mean((2, 3))
                 for i in range(0, len(pixels), BATCH)]  # fmt: skip
    labels = workshop.labels(dataset)[0]
    return torch.cat(parts).numpy(), labels, workshop.group_of(dataset), workshop.split(trained.run).part


def _model(head: str, rate: float, seed: int):
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = MLPClassifier(HEADS[head], learning_rate_init=rate, max_iter=EPOCHS, random_state=seed, alpha=1e-3)
    return make_pipeline(StandardScaler(), made)


def _fitted(model, features: np.ndarray, labels: np.ndarray):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fixed number of epochs is meant
        return model.fit(features, labels)


def _inner_score(features, labels, groups, head: str, rate: float, seed: int) -> float:
    """Mean balanced accuracy over inner folds by group."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(INNER, shuffle=True, random_state=seed)
    scores = []
    for train, held_out in folds.split(features, labels, groups):
        said = _fitted(_model(head, rate, seed), features[train], labels[train]).predict(features[held_out])
        scores.append(balanced_accuracy(labels[held_out], said))
    return float(np.mean(scores))


def findings(found: Search, **how) -> dict[str, Estimate]:
    """Tuned minus default on test cells, and how much the best trial's inner score promises above the test."""
    test, best = found.test, found.history["inner balanced accuracy"].max()
    measure = of_columns(balanced_accuracy, "label", "said_tuned")

    def optimism(frame: pd.DataFrame, weights: np.ndarray | None = None) -> float:
        return best - balanced_accuracy(frame["label"], frame["said_tuned"], weights)

    first, second = (test.assign(said=test[f"said_{name}"]) for name in ("tuned", "default"))
    return {
        "search.tuned.balanced_accuracy": statistic_by(test, measure, how="balanced accuracy, tuned head", **how),
        "search.tuned_minus_default.accuracy": difference_by(
            test, "tuned", "default", how="accuracy, tuned minus default head, test cells", **how
        ),
        "search.tuned_minus_default.balanced_accuracy": difference_between(
            first, second, of_columns(balanced_accuracy, "label", "said"), how="balanced accuracy, the same", **how
        ),
        "search.optimism": statistic_by(test, optimism, how="best inner score minus the test's", **how),
    }
