"""Study 3's classifiers: a linear head on the pooled levels of a frozen pyramid, for every choice of levels.

Levels are pooled at their own size: bringing them to one size by repeating pixels leaves a mean as it is where sizes
divide, so that a head on joined levels is logistic regression on channel means (PROTOCOLS 3, step 5).
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from studylib.cam import prepare
from studylib.metrics.intervals import Estimate, exact
from studylib.models.pyramid import LEVELS, known_levels, on_levels
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import BATCH, as_images
from studylib.study.train import Workshop
from studylib.training.locks import lock

SEVEN = (*((name,) for name in LEVELS), ("P3", "P6", "P7"), LEVELS)  # source, table 2
BEST = ("P3", "P6", "P7")  # what the source finds best
SUBSETS = tuple(s for k in range(1, 6) for s in itertools.combinations(LEVELS, k))
PENALTIES = (1e-3, 1e-2, 1e-1)  # C of logistic regression, on standardised means
PRINTED_RATE, PRINTED_STEPS = 1e-6, 2_000  # source, 4.1; steps: 20 epochs of batches of 8, of which it says nothing

Change = Callable[[torch.Tensor], torch.Tensor]


def short(levels: Sequence[str]) -> str:
    """A head's name in metrics: "p3p6p7"."""
    return "".join(levels).lower()


def title(levels: Sequence[str]) -> str:
    """A head's name on the page: "P3+P6+P7"."""
    return "P3..P7" if tuple(levels) == LEVELS else "+".join(levels)


@dataclass(frozen=True, eq=False)
class Head:
    """Two rows of weights, of the negative class and of the positive one, on the levels' channel means.

    weight: (2, channels * len(levels)); bias: (2,), float64; told: how it was fitted.
    """

    levels: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray
    told: str = ""

    def logits(self, means: np.ndarray) -> np.ndarray:
        """(N, 5, channels) -> (N, 2)"""
        return chosen(means, self.levels) @ self.weight.T + self.bias

    def probability(self, means: np.ndarray) -> np.ndarray:
        """Of the positive class, (N,)."""
        z = self.logits(means)
        return 1 / (1 + np.exp(z[:, 0] - z[:, 1]))

    @property
    def cosine(self) -> float:
        """Cosine of one row and the other's opposite: 1 where the two classes are antisymmetric."""
        a, b = self.weight[0], -self.weight[1]
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def network(self, of: Frozen) -> torch.nn.Module:
        """The pyramid with this head, as `explain` takes it; its maps' layer is `upper`."""
        weight, bias = (torch.as_tensor(each, dtype=torch.float32) for each in (self.weight, self.bias))
        return on_levels(of.model, self.levels, weight, bias)


def chosen(means: np.ndarray, levels: Sequence[str]) -> np.ndarray:
    """Channel means of some levels side by side. means: (N, 5, channels) -> (N, channels * len(levels))"""
    return means[:, [LEVELS.index(name) for name in known_levels(levels)]].reshape(len(means), -1)


def level_means(
    workshop: Workshop, trained: Trained, variant: str = "", change: Change | None = None, name: str = "",
    rows: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Channel means of the five levels for every image of a data set, float32 (N, 5, channels); kept on disk.

    variant: another set than the one it was trained on; change, name: what is done to the images (N, 3, S, S) first;
    rows: which alone are computed, NaN elsewhere.
    """
    spec, dataset = trained.fit.spec, workshop.dataset(variant or trained.run.arm.variant)
    pixels, digest = workshop.pixels(dataset, spec.image_size, spec.crop)
    chosen_rows = np.arange(len(pixels)) if rows is None else rows
    told = "" if rows is None else hashlib.sha256(np.asarray(rows).tobytes()).hexdigest()
    key = hashlib.sha256("|".join((spec.key, digest, name, told)).encode()).hexdigest()[:16]
    path = workshop.folder / ".cache" / f"means-{key}.npy"
    with lock(path.with_suffix(".lock")):
        if not path.exists():
            found = _means(prepare(trained.fit.model()), pixels, chosen_rows, change)
            made = np.full((len(pixels), *found.shape[1:]), np.nan, np.float32)
            made[chosen_rows] = found
            beside = path.with_suffix(f".{os.getpid()}.npy")
            np.save(beside, made)
            beside.replace(path)
    return np.load(path)


@torch.inference_mode()
def _means(model: torch.nn.Module, pixels: np.ndarray, rows: np.ndarray, change: Change | None) -> np.ndarray:
    found = []
    for i in range(0, len(rows), BATCH):
        images = as_images(np.asarray(pixels[rows[i : i + BATCH]]))
        images = images if change is None else change(images)
        found.append(model.upper.pooled(features_of(model, images)).numpy())
    return np.concatenate(found)


def features_of(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What the pyramid of a classifier or of a detector sees of images."""
    return model.features(images) if hasattr(model, "features") else (images - model.mean) / model.std


@dataclass(frozen=True, eq=False)
class Frozen:
    """A network's frozen pyramid and what heads are trained and judged on. means: (N, 5, channels); labels: (N,) with 1
    the positive class; part, names, groups: (N,) str. `of(part)` gives rows.
    """

    trained: Trained
    means: np.ndarray
    labels: np.ndarray
    part: np.ndarray
    names: np.ndarray
    groups: np.ndarray

    @cached_property
    def model(self) -> torch.nn.Module:
        """The network, loaded once for all heads and maps."""
        return self.trained.fit.model()

    def rows(self, *parts: str) -> np.ndarray:
        return np.flatnonzero(np.isin(self.part, parts))


def frozen(workshop: Workshop, trained: Trained) -> Frozen:
    """The pyramid of one network and the rows of its split."""
    dataset = workshop.dataset(trained.run.arm.variant)
    labels = workshop.labels(dataset)[0]
    names = dataset.table["image"].to_numpy().astype(str)
    part = workshop.split(trained.run).part
    return Frozen(trained, level_means(workshop, trained), labels, part, names, workshop.group_of(dataset))


def converged(of: Frozen, levels: Sequence[str], labels: np.ndarray | None = None, means: np.ndarray | None = None,
              penalty: float | None = None) -> Head:  # fmt: skip
    """Logistic regression to convergence on the training rows, its penalty chosen on validation rows by log loss.

    labels: others than the true ones, (N,); means: of changed images; penalty: given instead of chosen. A softmax of
    two classes under an L2 penalty has its optimum where the rows are each other's opposite: w and -w, each half.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    y = of.labels if labels is None else labels
    x = chosen(of.means if means is None else means, levels).astype(float)
    train, validation = of.rows("train"), of.rows("validation")
    middle, spread = x[train].mean(0), np.maximum(x[train].std(0), 1e-8)
    z, best = (x - middle) / spread, (np.inf, None, 0.0)
    for strength in PENALTIES if penalty is None else (penalty,):
        model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-8, max_iter=200).fit(z[train], y[train])
        loss = log_loss(y[validation], model.predict_proba(z[validation])[:, 1], labels=[0, 1])
        if loss < best[0]:
            best = (loss, model, strength)
    row = best[1].coef_[0] / spread
    shift = float(best[1].intercept_[0] - row @ middle)
    told = f"logistic regression to convergence, C = {best[2]:g}"
    return Head(known_levels(levels), np.stack([-row, row]) / 2, np.array([-shift, shift]) / 2, told)


def as_printed(of: Frozen, choices: Sequence[Sequence[str]] = SEVEN, rate: float = PRINTED_RATE,
               steps: int = PRINTED_STEPS) -> dict[tuple[str, ...], tuple[Head, float]]:  # fmt: skip
    """The source's training: two rows from a random start, softmax, Adam at its printed rate. -> {levels: (head, how
    far its weights moved over how large they were at the start)}; all choices at once, each with weights for its own
    levels only.
    """
    train = of.rows("train")
    x = torch.as_tensor(of.means[train].reshape(len(train), -1), dtype=torch.float32)
    y = torch.as_tensor(of.labels[train])
    width = of.means.shape[2]
    mask = torch.zeros(len(choices), 1, x.shape[1])
    for i, levels in enumerate(choices):
        for name in known_levels(levels):
            at = LEVELS.index(name) * width
            mask[i, 0, at : at + width] = 1
    generator = torch.Generator().manual_seed(of.trained.run.seed)
    bound = mask.sum(2, keepdim=True).rsqrt()  # nn.Linear's start: uniform within 1 / sqrt(inputs)
    start = (torch.rand(len(choices), 2, x.shape[1], generator=generator) * 2 - 1) * bound * mask
    bias = (torch.rand(len(choices), 2, generator=generator) * 2 - 1) * bound[:, :, 0]
    weight, bias = start.clone().requires_grad_(), bias.requires_grad_()
    optimiser = torch.optim.Adam([weight, bias], lr=rate)
    hot = torch.nn.functional.one_hot(y, 2).float()[:, None]
    weight.grad, bias.grad = torch.zeros_like(weight), torch.zeros_like(bias)
    with torch.no_grad():  # the gradient by hand: the loop is short, and autograd would be most of its time
        for _ in range(steps):
            logits = (x @ weight.flatten(0, 1).T).unflatten(1, (len(choices), 2)) + bias
            error = (logits.softmax(2) - hot) / len(x)
            weight.grad.copy_((error.flatten(1).T @ x).view_as(weight) * mask)
            bias.grad.copy_(error.sum(0))
            optimiser.step()
    found = {}
    for i, levels in enumerate(choices):
        kept = mask[i, 0] > 0
        made, begun = (w.detach()[i][:, kept].double().numpy() for w in (weight, start))
        told = f"Adam at {rate:g}, {steps:,} steps"
        head = Head(known_levels(levels), made, bias.detach()[i].double().numpy(), told)
        found[head.levels] = (head, float(np.abs(made - begun).mean() / np.abs(begun).mean()))
    return found


def predictions(of: Frozen, head: Head, part: str = "test", means: np.ndarray | None = None) -> pd.DataFrame:
    """What a head says of a part: image, group, label, p (of the positive class), predicted, correct, repeat."""
    rows = of.rows(part)
    p = head.probability((of.means if means is None else means)[rows])
    predicted, label = (p > 0.5).astype(int), of.labels[rows]
    row = {"image": of.names[rows], "group": of.groups[rows], "label": label, "p": p, "predicted": predicted}
    return pd.DataFrame(row | {"correct": (predicted == label).astype(float), "repeat": of.trained.run.repeat})


def everywhere(
    frozens: Sequence[Frozen], heads: Sequence[dict[tuple[str, ...], Head]], levels: Sequence[str], part: str = "test"
) -> pd.DataFrame:
    """Predictions of the head on these levels of every network, one after the other."""
    tables = [predictions(of, made[tuple(levels)], part) for of, made in zip(frozens, heads, strict=True)]
    return pd.concat(tables, ignore_index=True)


def all_heads(
    workshop: Workshop, fits: Fits, arm: str, choices: Sequence[Sequence[str]] = SEVEN
) -> tuple[list[Frozen], list[dict[tuple[str, ...], Head]]]:
    """The frozen pyramids of an arm's networks, and of each the converged heads of these choices of levels."""
    frozens = [frozen(workshop, t) for t in fits.select(arm)]
    return frozens, [{tuple(levels): converged(of, levels) for levels in choices} for of in frozens]


def count() -> Estimate:
    """How many heads the source trains, and so are trained here."""
    return exact(
        float(len(SEVEN)), n=len(SUBSETS), how=f"the source's choices of levels; {len(SUBSETS)} are trained here"
    )
