"""Draw a family of phantoms into a dataset folder: one patient after the other, or several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from studylib.data.folder import FolderWriter

Row = dict


def write_family(
    root: str | os.PathLike,
    cases: Sequence,
    draw: Callable[[Path, object], list[Row]],
    describe: Callable[[str, list[Row]], dict],
    *,
    folders: Iterable[str] = (),
    processes: int = 1,
) -> Path:
    """Write what `draw` makes of each case, whole or not at all, and return the folder.

    draw: (folder, case) -> rows of the table; it can be pickled, and what it draws follows from the case. describe:
    (name, all rows) -> dataset.json. folders: needed beside images/ and masks/. FileExistsError where `root` exists.
    """
    root = Path(root)
    with FolderWriter(root) as folder:
        for name in folders:
            (folder.path / name).mkdir()
        if processes > 1:
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                parts = list(pool.map(draw, [folder.path] * len(cases), cases, chunksize=4))
        else:
            parts = [draw(folder.path, case) for case in cases]
        rows = [row for part in parts for row in part]
        folder.tabulate(rows)
        folder.describe(describe(root.name, rows))
    return root
