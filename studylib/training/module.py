"""What Lightning runs: one step, one validation, the learning curve, all from seeds that a resumed run repeats."""

from __future__ import annotations

import time

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from studylib.training.augmentation import augmented
from studylib.training.spec import FitSpec


class Batches(Dataset):
    """Inputs and targets in memory, with masks (N, S, S) where training needs them; a whole batch is read at once.
    Images (N, S, S[, C]) uint8 become (n, 3, S, S) in [0, 1].
    """

    def __init__(self, inputs: np.ndarray, targets: np.ndarray, masks: np.ndarray | None = None) -> None:
        self.inputs = inputs
        self.beside = [torch.as_tensor(each) for each in (targets, masks) if each is not None]

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitems__(self, rows: list[int]) -> tuple[Tensor, ...]:
        return as_input(self.inputs[rows]), *(each[rows] for each in self.beside)


def as_input(pixels: np.ndarray) -> Tensor:
    """Pixels as a network takes them: (n, S, S[, 3]) uint8 -> (n, 3, S, S) float32 in [0, 1], channels last; features
    (n, C[, h, w]) become float32.
    """
    if pixels.dtype != np.uint8:
        features = torch.as_tensor(np.ascontiguousarray(pixels)).float()
        return features.contiguous(memory_format=torch.channels_last) if features.ndim == 4 else features
    images = torch.as_tensor(np.ascontiguousarray(pixels)).float().div(255)
    images = images[:, None].expand(-1, 3, -1, -1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return images.contiguous(memory_format=torch.channels_last)


class EpochOrder(Sampler[int]):
    """A random order that depends on the epoch alone, so that a resumed run sees the same batches."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed, self.epoch = n, seed, 0

    def set_epoch(self, epoch: int) -> None:  # Lightning calls this at the start of every epoch
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        return iter(torch.randperm(self.n, generator=generator).tolist())


def loader(
    inputs: np.ndarray,
    targets: np.ndarray,
    batch_size: int,
    order: EpochOrder | None = None,
    masks: np.ndarray | None = None,
) -> DataLoader:
    """Batches in the order given, or as they stand."""
    data = Batches(inputs, targets, masks)
    return DataLoader(data, batch_size=batch_size, sampler=order, collate_fn=lambda batch: batch)


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross entropy on a sigmoid for one logit (source 02: BCELoss), cross entropy for more. logits (N, C),
    targets (N,).
    """
    logits = logits.float()
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets.float())
    return F.cross_entropy(logits, targets.long())


def reseed(seed: int) -> None:
    """Seed the generators in use. torch.manual_seed does the same, but where no accelerator is in use it notes the
    call stack for three kinds of them: 3 ms a step, kept for ever.
    """
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


def predicted(logits: Tensor) -> Tensor:
    """The class with the largest probability; for one logit class 1 above 0.5. (N, C) -> (N,) int."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)


class Classifier(pl.LightningModule):
    """A network under training. `history` has one row an epoch and travels in the checkpoint, seconds included."""

    def __init__(self, network: nn.Module, spec: FitSpec) -> None:
        super().__init__()
        self.network, self.spec = network, spec
        self.history: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._began = 0.0

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        return loss_of(logits, targets)

    def right(self, logits: Tensor, targets: Tensor) -> float:
        """How many images are right, for the curve and the choice of the epoch."""
        return int((predicted(logits) == targets).sum())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam([p for p in self.network.parameters() if p.requires_grad], lr=self.spec.learning_rate)

    def on_train_epoch_start(self) -> None:
        self._sums, self._began = {}, time.perf_counter()
        if hasattr(self.network, "begin_epoch"):
            self.network.begin_epoch(self.current_epoch, self.spec.warmup)

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        reseed(self.spec.seed + self.global_step)  # what is random in a step follows from its number
        if self.spec.augment:
            batch = (augmented(batch[0]), *batch[1:])
        return self._step(batch, "training")[0]

    def validation_step(self, batch: tuple[Tensor, ...], _: int) -> None:
        self._step(batch, "validation")

    def judged(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Logits of a batch and their loss."""
        logits = self.network(batch[0])
        return logits, self.loss(logits, batch[1])

    def _step(self, batch: tuple[Tensor, ...], part: str) -> tuple[Tensor, Tensor]:
        """Loss and logits of a batch, counted into the curve."""
        targets = batch[1]
        logits, loss = self.judged(batch)
        sums = {"n": len(targets), "loss": float(loss) * len(targets), "right": self.right(logits, targets)}
        for name, value in sums.items():
            self._sums[f"{part}_{name}"] = self._sums.get(f"{part}_{name}", 0) + value
        return loss, logits

    def on_validation_epoch_end(self) -> None:
        row = {"epoch": self.current_epoch + 1, "seconds": time.perf_counter() - self._began}
        for part in ("training", "validation"):
            n = self._sums[f"{part}_n"]
            row |= {f"{part}_loss": self._sums[f"{part}_loss"] / n, f"{part}_accuracy": self._sums[f"{part}_right"] / n}
        self.history.append(row)
        self.log("kept_by", self.kept_by(row))

    def kept_by(self, row: dict[str, float]) -> float:
        """What the first best epoch is chosen by, from its row of the learning curve."""
        return row["validation_accuracy"]

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        self.history = checkpoint["history"]
