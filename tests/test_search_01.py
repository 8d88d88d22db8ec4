"""The search of hyper-parameters: twelve trials, the default among them, and what it claims by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from studylib.study import search_01


def made(default, tuned, best) -> search_01.Search:
    label = np.arange(20) % 2
    said = {f"said_{n}": np.where(np.arange(20) < share * 20, label, 1 - label) for n, share in
            (("default", default), ("tuned", tuned))}  # fmt: skip
    right = {name: (said[f"said_{name}"] == label).astype(float) for name in ("default", "tuned")}
    test = pd.DataFrame({"group": [f"g{i // 4}" for i in range(20)], "label": label} | said | right)
    history = pd.DataFrame({"inner balanced accuracy": [0.5, best]})
    return search_01.Search(history, {}, test)


def test_findings_by_hand():
    found = search_01.findings(made(0.5, 0.7, 0.9))
    assert found["search.tuned_minus_default.accuracy"].value == pytest.approx(0.2)
    assert found["search.tuned_minus_default.balanced_accuracy"].value == pytest.approx(0.2)
    assert found["search.tuned.balanced_accuracy"].value == pytest.approx(0.7)
    assert found["search.optimism"].value == pytest.approx(0.2)


def test_twelve_trials_begin_with_the_default_and_never_see_a_test_cell(monkeypatch):
    rng = np.random.default_rng(0)
    groups = np.repeat([f"g{i:02d}" for i in range(12)], 6)
    labels = rng.permutation(np.arange(72) % 2)
    features = rng.normal(0, 1, (72, 4)) + labels[:, None]
    part = np.where(groups >= "g09", "test", "train")
    features[part == "test"] = np.nan  # a search that looked at them would fail
    monkeypatch.setattr(search_01, "EPOCHS", 3)
    monkeypatch.setattr(search_01, "_material", lambda *_: (np.nan_to_num(features), labels, groups, part))
    seen = []
    score = search_01._inner_score
    monkeypatch.setattr(search_01, "_inner_score", lambda x, *rest: seen.append(x) or score(x, *rest))
    fits = SimpleNamespace(select=lambda _: [None])
    found = search_01.searched(SimpleNamespace(seed=0), fits, "small")
    assert len(found.history) == search_01.TRIALS == len(seen)
    assert found.history.loc[0, ["head", "learning_rate"]].tolist() == list(search_01.DEFAULT.values())
    assert all(np.array_equal(x, features[part == "train"]) for x in seen)
    assert found.history["best so far"].is_monotonic_increasing and len(found.test) == (part == "test").sum()
    again = search_01.searched(SimpleNamespace(seed=0), fits, "small")
    pd.testing.assert_frame_equal(found.history, again.history)
