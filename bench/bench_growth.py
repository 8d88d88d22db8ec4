"""Cost of 1 to 256 images in chunks: time and peak memory, `reports/bench/growth.csv` and its picture."""

from __future__ import annotations

import gc
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import torch
from memory import keep_nothing, peak_above
from networks import NETWORKS, images

from studylib.cam import explain, prepare
from studylib.study import figures  # noqa: F401  (sets the house's style)

mpl.use("agg")
OUT = Path(__file__).resolve().parents[1] / "reports" / "bench"
COUNTS, CHUNK, REPEATS = (1, 4, 16, 64, 256), 16, 3
METHODS = ("cam", "gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "crm")


def main() -> None:
    rows = [{"images": n, "chunk": CHUNK} | in_a_child(time_of, n) | in_a_child(memory_of, n) for n in COUNTS]
    table = pd.DataFrame(rows)
    OUT.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUT / "growth.csv", index=False)
    draw(table)
    print(table.to_string(index=False))


def in_a_child(measure: Callable[[int], dict], count: int) -> dict:
    """Measure in a process of its own: what an earlier count left behind must not show."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, json.dumps(measure(count)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        values = json.loads(answer.read())
    os.wait()
    return values


def time_of(count: int) -> dict:
    """Milliseconds an image, least of three runs: seven maps of ResNet-18, prepared."""
    model, x = prepare(NETWORKS["resnet18"].build()), images(count)
    spent = []
    for repeat in range(REPEATS + 1):
        began = time.perf_counter()
        explain(model, x, METHODS, batch_size=CHUNK)
        spent += [time.perf_counter() - began] if repeat else []  # the first warms up
    return {"ms_per_image": round(1000 * min(spent) / count, 2)}


def memory_of(count: int) -> dict:
    """Peak MiB above model and images of the same call, freed buffers handed back at once."""
    keep_nothing()
    model, x = prepare(NETWORKS["resnet18"].build()), images(count)
    explain(model, x[:1], METHODS)
    gc.collect()
    return {"peak_mib": round(peak_above(lambda: explain(model, x, METHODS, batch_size=CHUNK)))}


def draw(table: pd.DataFrame) -> None:
    """Total time and peak memory over the number of images, both axes from 0; dashed: a straight line through 0."""
    from matplotlib import pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    total = table["ms_per_image"] * table["images"] / 1000
    largest = table["images"].iloc[-1]
    left.plot([0, largest], [0, total.iloc[-1]], color="#999999", ls="--", lw=1, label="straight line through 0")
    left.plot(table["images"], total, "o-", color="#0072B2", label="seven maps, prepared")
    left.set(xlabel="images", ylabel="seconds", title="Time grows in proportion", ylim=(0, None))
    left.legend()
    right.plot(table["images"], table["peak_mib"], "o-", color="#D55E00")
    right.axvline(CHUNK, color="#999999", ls="--", lw=1)
    right.annotate(f"one chunk: {CHUNK}", (CHUNK, 0), xytext=(6, 6), textcoords="offset points", fontsize=8)
    right.set(xlabel="images", ylabel="MiB above model and images", title="Memory stays", ylim=(0, None))
    fig.suptitle("ResNet-18 at 224 x 224, chunks of 16 images, two processor cores", fontsize=11)
    for suffix in (".png", ".svg"):
        metadata = {"Date": None} if suffix == ".svg" else None
        fig.savefig((OUT / "growth").with_suffix(suffix), dpi=110, metadata=metadata)
    plt.close(fig)


if __name__ == "__main__":
    torch.set_num_threads(os.cpu_count() or 1)
    main()
