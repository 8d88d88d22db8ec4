"""Write a dataset folder in the layout of data/README.md, whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an array (H, W) or (H, W, 3) RGB, uint8, as PNG; OSError says which file could not be written."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise OSError(f"{path.name} could not be encoded as PNG")
    path.write_bytes(data.tobytes())


class FolderWriter:
    """A dataset folder under construction: it stands beside its final place and moves there when the block ends well.

    `with FolderWriter(root) as folder:` gives `folder.path` with images/ and masks/. FileExistsError where root exists.
    """

    def __init__(self, root: str | os.PathLike):
        self.root = Path(root)
        if self.root.exists():
            raise FileExistsError(f"{self.root.name} exists already: remove it or choose another folder")

    def __enter__(self) -> FolderWriter:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(prefix=f".{self.root.name}.", suffix=".part", dir=self.root.parent))
        self.path.chmod(0o755)
        for name in ("images", "masks"):
            (self.path / name).mkdir()
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        try:
            os.rename(self.path, self.root)
        except OSError:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def describe(self, info: dict) -> None:
        """Write dataset.json."""
        text = json.dumps(info, indent=1, ensure_ascii=False) + "\n"
        (self.path / "dataset.json").write_text(text, encoding="utf-8")

    def tabulate(self, rows: Iterable[dict]) -> None:
        """Write metadata.csv; the columns are those of the first row, and every row must have just these."""
        rows = list(rows)
        with open(self.path / "metadata.csv", "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
