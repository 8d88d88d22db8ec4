"""The trained networks of a study: which exist, what they predicted, one tidy table for any of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from studylib.study.plan import Run
from studylib.training.result import Fit


@dataclass(frozen=True)
class Trained:
    """One network of a study: what was asked for (`run`), and the finished `fit`."""

    run: Run
    fit: Fit


class Fits:
    """The networks of a study, chosen by arm and split."""

    def __init__(self, trained: list[Trained]) -> None:
        self._trained = trained

    def __len__(self) -> int:
        return len(self._trained)

    def __iter__(self) -> Iterator[Trained]:
        return iter(self._trained)

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(t.run.arm.name for t in self))

    def has(self, arm: str, split: str = "group") -> bool:
        """Whether this profile trained the arm on the split."""
        return any(t.run.arm.name == arm and t.run.split == split for t in self)

    def select(self, arm: str, split: str = "group") -> list[Trained]:
        """Networks of an arm on a split, by repeat. Raises KeyError naming the arms that were trained."""
        found = [t for t in self if t.run.arm.name == arm and t.run.split == split]
        if not found:
            raise KeyError(f"this profile trained no '{arm}' on '{split}'; it trained {', '.join(self.arms)}")
        return found

    def predictions(self, arm: str, split: str = "group", part: str = "test") -> pd.DataFrame:
        """One row an image and network: image, group, label, p (of the second class), logit, correct, predicted,
        repeat.
        """
        tables = []
        for t in self.select(arm, split):
            table = t.fit.predictions
            table = table[table["part"] == part].drop(columns="part").assign(repeat=t.run.repeat, seed=t.run.seed)
            tables.append(table)
        table = pd.concat(tables, ignore_index=True)
        columns = [c for c in table.columns if c.startswith("p_")]
        p = table[columns].to_numpy()
        table["p"] = p[:, -1]
        table["predicted"] = (p[:, 1] > 0.5).astype(int) if len(columns) == 2 else p.argmax(1)
        table["correct"] = (table["predicted"] == table["label"]).astype(float)
        clipped = np.clip(table["p"], 1e-6, 1 - 1e-6)
        table["logit"] = np.log(clipped / (1 - clipped))
        return table

    def history(self, arm: str, split: str = "group") -> pd.DataFrame:
        """Learning curves: one row an epoch and network, with `repeat` and `kept` (the epoch whose weights were
        kept).
        """
        tables = []
        for t in self.select(arm, split):
            curve = t.fit.history.assign(repeat=t.run.repeat)
            tables.append(curve.assign(kept=curve["epoch"] == t.fit.best_epoch))
        return pd.concat(tables, ignore_index=True)

    def counts(self) -> pd.DataFrame:
        """How many networks of each arm on each split, a table for the page."""
        rows = [(t.run.arm.name, t.run.arm.why, t.run.split) for t in self]
        table = pd.DataFrame(rows, columns=["arm", "what it is", "split"])
        return table.value_counts(sort=False).unstack(fill_value=0).reset_index().set_index("arm").loc[self.arms]
