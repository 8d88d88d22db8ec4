"""Heads on frozen pyramid levels: against training through the network, against a second optimiser, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from studylib.models.pyramid import LEVELS, pyramid
from studylib.study import heads_03
from studylib.study.heads_03 import BEST, SEVEN, SUBSETS, Frozen, Head, chosen

SIDE, WIDTH = 128, 8


def network(seed: int = 0):
    """A small untrained pyramid, and a stand-in for the trained network that holds it."""
    torch.manual_seed(seed)
    model = pyramid(image_size=SIDE, channels=WIDTH).eval()
    spec = SimpleNamespace(image_size=SIDE, crop="none", key=f"key{seed}", model="pyramid",
                           options=(("architecture", "small"), ("channels", WIDTH), ("image_size", SIDE)))  # fmt: skip
    run = SimpleNamespace(seed=seed, repeat=seed, fold=0, arm=SimpleNamespace(name="joint", variant="plain"))
    return model, SimpleNamespace(fit=SimpleNamespace(model=lambda: model, spec=spec), run=run)


def frozen(n: int = 120, seed: int = 0, signal: float = 1.5) -> Frozen:
    """Channel means drawn by hand: two images a woman; the first channel of P3 tells the class."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) // 2 % 3 == 0).astype(int)
    means = rng.normal(0, 1, (n, 5, WIDTH)).astype(np.float32)
    means[:, 0, 0] += signal * labels
    groups = np.array([f"w{i // 2:03d}" for i in range(n)])
    part = np.array([("train", "train", "train", "validation", "test")[i // 2 % 5] for i in range(n)])
    names = np.array([f"{i:03d}.png" for i in range(n)])
    return Frozen(network(seed)[1], means, labels, part, names, groups)


def test_choices_of_levels():
    assert len(SUBSETS) == 31 and len(set(SUBSETS)) == 31 and all(levels in SUBSETS for levels in SEVEN)
    assert (
        heads_03.short(BEST) == "p3p6p7" and heads_03.title(BEST) == "P3+P6+P7" and heads_03.title(LEVELS) == "P3..P7"
    )
    means = np.arange(10.0).reshape(1, 5, 2)
    assert chosen(means, ("P7", "P3")).tolist() == [[0, 1, 8, 9]]


def test_convergence_against_a_second_optimiser():
    """Softmax of two rows under an L2 penalty, minimised as a whole by another method in float64."""
    of, levels = frozen(), ("P3", "P5")
    head = heads_03.converged(of, levels, penalty=0.1)
    x = chosen(of.means, levels)[of.rows("train")].astype(float)
    y, spread, middle = of.labels[of.rows("train")], x.std(0), x.mean(0)
    z = (x - middle) / spread

    def loss(values):
        w, b = values[:-1], values[-1]
        margin = (2 * y - 1) * (z @ w + b)
        return np.logaddexp(0, -margin).sum() + (w @ w) / (2 * 0.1)

    best = minimize(loss, np.zeros(z.shape[1] + 1), method="BFGS", options={"gtol": 1e-8}).x
    row = best[:-1] / spread
    np.testing.assert_allclose(head.weight[1] - head.weight[0], row, atol=1e-4)
    np.testing.assert_allclose(head.bias[1] - head.bias[0], best[-1] - row @ middle, atol=1e-4)
    assert head.cosine == pytest.approx(1.0)


def test_the_penalty_is_chosen_on_validation_women():
    of = frozen()
    losses = {}
    for strength in heads_03.PENALTIES:
        p = heads_03.converged(of, BEST, penalty=strength).probability(of.means)[of.rows("validation")]
        y = of.labels[of.rows("validation")]
        losses[strength] = -np.mean(np.where(y == 1, np.log(p), np.log(1 - p)))
    best = min(losses, key=losses.get)
    assert heads_03.converged(of, BEST).told.endswith(f"C = {best:g}")


def test_a_head_on_cached_means_is_trained_as_through_the_frozen_network():
    """The same logits, and the same gradient for its weights: each step of any optimiser is the same."""
    model, trained = network(3)
    images = torch.rand(6, 3, SIDE, SIDE)
    with torch.inference_mode():
        means = model.upper.pooled(model.features(images)).numpy()
    rng = np.random.default_rng(0)
    head = Head(BEST, rng.normal(size=(2, 3 * WIDTH)), rng.normal(size=2))
    whole = head.network(SimpleNamespace(model=trained.fit.model()))
    whole.fc.requires_grad_(True)
    labels = torch.tensor([0, 1, 1, 0, 1, 0])
    logits = whole(images)
    np.testing.assert_allclose(logits.detach().numpy(), head.logits(means), rtol=1e-4, atol=1e-4)
    torch.nn.functional.cross_entropy(logits, labels).backward()
    short = torch.nn.Linear(3 * WIDTH, 2)
    short.load_state_dict({k: v.clone() for k, v in whole.fc.state_dict().items()})
    torch.nn.functional.cross_entropy(short(torch.as_tensor(chosen(means, BEST))), labels).backward()
    torch.testing.assert_close(whole.fc.weight.grad, short.weight.grad, rtol=1e-3, atol=1e-6)


def test_all_heads_at_once_train_as_each_alone():
    of, levels, rate, steps = frozen(), ("P4", "P7"), 1e-2, 40
    head, moved = heads_03.as_printed(of, (("P3",), levels), rate, steps)[levels]
    x = torch.as_tensor(chosen(of.means, levels)[of.rows("train")])
    y = torch.as_tensor(of.labels[of.rows("train")])
    begun = heads_03.as_printed(of, (("P3",), levels), rate, 0)[levels][0]
    alone = torch.nn.Linear(2 * WIDTH, 2)
    with torch.no_grad():
        alone.weight.copy_(torch.as_tensor(begun.weight))
        alone.bias.copy_(torch.as_tensor(begun.bias))
    optimiser = torch.optim.Adam(alone.parameters(), lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(alone(x), y).backward()
        optimiser.step()
    np.testing.assert_allclose(head.weight, alone.weight.detach(), atol=1e-4)
    np.testing.assert_allclose(head.bias, alone.bias.detach(), atol=1e-4)
    assert moved == pytest.approx(np.abs(head.weight - begun.weight).mean() / np.abs(begun.weight).mean())


def test_at_the_printed_rate_weights_hardly_leave_their_start():
    head, moved = heads_03.as_printed(frozen(), (BEST,), steps=500)[BEST]
    assert 0 < moved < 500 * heads_03.PRINTED_RATE / np.abs(head.weight).mean() * 1.01
    assert abs(head.cosine) < 0.7  # random rows are no opposites


def test_predictions_are_those_of_the_part_and_of_the_positive_class():
    of = frozen()
    weight = np.zeros((2, 5 * WIDTH))
    weight[1, 0] = 1.0  # the first channel of P3 alone
    table = heads_03.predictions(of, Head(LEVELS, weight, np.array([0.0, -0.75])))
    rows = of.rows("test")
    np.testing.assert_allclose(table["p"], 1 / (1 + np.exp(0.75 - of.means[rows, 0, 0])), rtol=1e-5)
    assert (table["predicted"] == (of.means[rows, 0, 0] > 0.75)).all()
    assert (table["correct"] == (table["predicted"] == of.labels[rows])).all() and len(table) == len(rows)


def test_a_network_is_loaded_once_for_all_its_heads():
    loaded = []
    model, trained = network(0)
    of = frozen()
    object.__setattr__(of, "trained", SimpleNamespace(fit=SimpleNamespace(model=lambda: loaded.append(1) or model)))
    weights = np.zeros((2, WIDTH)), np.zeros(2)
    first, second = (Head((name,), *weights).network(of) for name in ("P3", "P6"))
    assert loaded == [1] and first.upper.fpn is second.upper.fpn and first.upper.levels != second.upper.levels
