"""Drawing a family: rows in the order of the cases whatever the processes, and nothing left behind by a failure."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from studylib.data.folder import write_png
from studylib.data.phantoms.family import write_family


def draw(folder, case, fails=None):
    if case == fails:
        raise RuntimeError(f"case {case}")
    write_png(folder / "images" / f"{case}.png", np.full((4, 4), case, np.uint8))
    return [{"image": f"images/{case}.png", "case": case}]


def describe(name, rows):
    return {"name": name, "rows": len(rows)}


def test_rows_keep_the_order_of_the_cases(tmp_path):
    for processes in (1, 2):
        folder = write_family(
            tmp_path / f"p{processes}", range(9), draw, describe, folders=("cue_masks",), processes=processes
        )
        assert pd.read_csv(folder / "metadata.csv")["case"].tolist() == list(range(9))
        assert (folder / "cue_masks").is_dir() and '"rows": 9' in (folder / "dataset.json").read_text()


def test_a_failure_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="case 3"):
        write_family(tmp_path / "x", range(9), partial(draw, fails=3), describe)
    assert not list(tmp_path.iterdir())
