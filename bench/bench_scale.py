"""A set larger than memory: peak memory and images a second of `write_shards`, from 500 to 50,000 drawn pictures; and
what 1, 10 and 1,000 machines would take for the studies, on paper from what the committed runs measured.

    python bench/bench_scale.py [--counts 500 5000 50000] [--per-hour PRICE]

Writes reports/scale/. A picture is one of 64 drawn brain slices with noise of its own, made when it is asked for:
nothing but the maps is stored, and those go away with the trial.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "reports" / "scale"
COUNTS, SIDE, BASE, SHARD = (500, 5_000, 50_000), 64, 64, 512
METHODS = ("gradcam", "gradcam++", "layercam")
MACHINES, CORES = (1, 10, 1_000), 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS)
    parser.add_argument("--per-hour", type=float, help="price of a machine's hour, for the table of machines")
    parser.add_argument("--trial", type=int, help=argparse.SUPPRESS)  # one count, in a process of its own
    asked = parser.parse_args()
    if asked.trial:
        print(json.dumps(trial(asked.trial)))
        return
    OUT.mkdir(parents=True, exist_ok=True)
    rows = []
    for count in asked.counts:
        command = [sys.executable, __file__, "--trial", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    memory, machines = pd.DataFrame(rows), machines_table(asked.per_hour)
    memory.to_csv(OUT / "memory.csv", index=False)
    machines.to_csv(OUT / "machines.csv", index=False)
    draw(memory)
    (OUT / "README.md").write_text(page(memory, machines), encoding="utf-8")


def trial(count: int) -> dict:
    """Explain so many pictures in shards; peak memory of this process, and of that above what it holds before."""
    import torch
    from torchvision.models import resnet18

    from studylib.cam import explain
    from studylib.study.own_model import BATCH, OwnModel
    from studylib.study.sharding import write_shards
    from studylib.study.worked_example import pictures

    torch.manual_seed(0)
    own = OwnModel(resnet18(num_classes=2).eval(), ("no", "yes"), SIDE, (0.5,) * 3, (0.25,) * 3, "resnet18")
    base = pictures(patients=BASE // 2).pixels[:BASE, :SIDE, :SIDE]

    def made(rows: range):
        arrays, said = {m: [] for m in METHODS}, []
        for start in range(rows.start, rows.stop, BATCH):
            few = range(start, min(start + BATCH, rows.stop))
            noise = np.stack([np.random.default_rng(i).integers(0, 20, (SIDE, SIDE), dtype=np.uint8) for i in few])
            drawn = np.clip(base[[i % BASE for i in few]].astype(np.uint16) + noise, 0, 255).astype(np.uint8)
            e = explain(own.model, own.images(np.repeat(drawn[..., None], 3, axis=3)), METHODS)
            said.append(e.logits.argmax(1).numpy())
            for method in METHODS:
                arrays[method].append(e[method].numpy().astype(np.float16))
        table = pd.DataFrame({"image": list(rows), "predicted": np.concatenate(said), "problem": ""})
        return {name: np.concatenate(parts) for name, parts in arrays.items()}, table

    with tempfile.TemporaryDirectory() as folder:
        made(range(BATCH))  # what the first batch sets up stays
        began, before = time.perf_counter(), peak_mib()
        write_shards(Path(folder), count, made, "trial", shard=SHARD, say=lambda line: None)
        seconds = time.perf_counter() - began
        stored = sum(path.stat().st_size for path in Path(folder).glob("*.*")) / 2**20
    after = peak_mib()
    return {"images": count, "peak_mib": round(after, 1), "above_one_batch_mib": round(after - before, 1),
            "images_per_second": round(count / seconds, 1), "stored_mib": round(stored, 1)}  # fmt: skip


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10


def machines_table(per_hour: float | None = None) -> pd.DataFrame:
    """Hours of the real standard run of each study on some machines of two cores.

    A report is one process and waits for all its networks; networks are shared, one a core, and none is split. So the
    time is report + max(one network, all networks / cores). A network is the mean: which takes longest is not kept.
    """
    from studylib.study.plan import estimate
    from studylib.study.settings import studies

    rows = []
    for study in studies(ROOT):
        cost = estimate(study, "real", "standard", ROOT)
        (folder,) = (ROOT / "reports").glob(f"phantom-quick/{study}_*")
        real = ROOT / "reports" / "real-standard" / folder.name / "provenance.json"
        path = real if real.is_file() else folder / "provenance.json"
        report = json.loads(path.read_text())["seconds"]["notebook"]
        fitting = max(0.0, 60 * cost["minutes"] - report) * CORES  # core seconds
        one = fitting / cost["fits"]
        for machines in MACHINES:
            hours = (report + max(one, fitting / (CORES * machines))) / 3600
            row = {"study": study, "networks": cost["fits"], "report from": path.parts[-3], "machines": machines}
            row |= {"hours": round(hours, 3), "machine hours": round((report + fitting / CORES) / 3600, 2)}
            rows.append(row | ({"price": round(row["machine hours"] * per_hour, 2)} if per_hour else {}))
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> None:
    from matplotlib import pyplot as plt

    from studylib.study import figures  # noqa: F401  (sets the house's style)

    mpl.use("agg")
    fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2))
    for ax, column, label in zip(
        axes, ("peak_mib", "images_per_second"), ("peak memory, MiB", "images a second"), strict=True
    ):
        ax.plot(table["images"], table[column], "o-", color="#0072B2")
        ax.set(xscale="log", xlabel="images", ylabel=label, ylim=(0, 1.15 * table[column].max()))
    axes[0].set_title("Memory does not grow with the set")
    axes[1].set_title("Nor does the time of an image")
    for suffix in ("png", "svg"):
        with mpl.rc_context({"svg.hashsalt": "scale"}):
            fig.savefig(OUT / f"memory.{suffix}", metadata={"Date": None} if suffix == "svg" else {"Software": None})


def page(memory: pd.DataFrame, machines: pd.DataFrame) -> str:
    """What was measured, as a page."""
    first, last = memory.iloc[0], memory.iloc[-1]
    wide = machines.pivot(index="study", columns="machines", values="hours")
    networks = machines.drop_duplicates("study").set_index("study")["networks"]
    columns = [f"{n:,} machine{'s' if n > 1 else ''}" for n in wide.columns]
    hours = [
        [study, networks[study], *[f"{60 * value:.0f} min" for value in row]]
        for study, row in zip(wide.index, wide.values, strict=True)
    ]
    told = [
        [f"{r.images:,}", f"{r.peak_mib:.0f}", f"{r.above_one_batch_mib:.0f}", f"{r.images_per_second:.0f}"]
        for r in memory.itertuples()
    ]
    return f"""# Scale: sets larger than memory, and more machines

Written by `python bench/bench_scale.py`; no number here is typed.

## Maps in shards

`studylib.study.sharding.write_shards` (`python -m studylib maps`) on drawn pictures of {SIDE} pixels, ResNet-18,
{", ".join(METHODS)}, {SHARD} images a shard: from {first.images:,.0f} to {last.images:,.0f} images the peak goes from
{first.peak_mib:.0f} to {last.peak_mib:.0f} MiB.

{grid(["images", "peak MiB", "above the first batch, MiB", "images a second"], told)}

![memory and time against the number of images](memory.png)

## Machines, on paper

The `standard` run on real images with machines of {CORES} cores, from the minutes in each study's settings and the
seconds of its committed report. A report is one process and waits for all its networks, so more machines than networks
help nothing: the last column is one network and the report.

{grid(["study", "networks", *columns], hours)}

Assumed: networks of a study take the same time, a shared folder, no queue. `machines.csv` has machine hours, says which
report the seconds come from, and has a price where `--per-hour` gave one.
"""


def grid(head: list[str], rows: list[list]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    main()
