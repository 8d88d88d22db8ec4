"""Maps of a set that is larger than memory: written shard by shard, resumed where a run stopped, shared by workers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from studylib.cam import explain
from studylib.data.dataset import DataError
from studylib.data.transforms import prepare_image
from studylib.study.own_images import OwnImages
from studylib.study.own_measures import PLACE, key_of
from studylib.study.own_model import BATCH, OwnModel
from studylib.study.segmenting import measures
from studylib.training.locks import is_free, lock

SHARD = 512  # images
Made = Callable[[range], tuple[dict[str, np.ndarray], pd.DataFrame]]  # rows -> (name -> array, one row an image)


def write_shards(
    folder: Path, count: int, made: Made, key: str, *, shard: int = SHARD, say: Callable[[str], None] = print
) -> int:
    """Make what is missing of `count` images in shards: NNNNN.npz with arrays, NNNNN.csv with a row an image, each
    whole or not there. -> how many shards this process made

    key: what decides the result; a folder that was begun with another is refused. Several processes may work on one
    folder: each takes the first shard that nobody holds. Only one shard is in memory.
    """
    _same_plan(folder, {"key": key, "count": count, "shard": shard})
    todo, mine = list(range(-(-count // shard))), 0
    while todo := [number for number in todo if not _csv(folder, number).is_file()]:
        locks = {number: folder / ".locks" / f"{number:05d}" for number in todo}
        number = next((number for number in todo if is_free(locks[number])), todo[0])
        with lock(locks[number]):
            if _csv(folder, number).is_file():  # another process made it meanwhile
                continue
            rows = range(number * shard, min(count, (number + 1) * shard))
            arrays, table = made(rows)
            if len(table) != len(rows):
                raise ValueError(f"{len(table)} rows were made for {len(rows)} images")
            _whole(folder / f"{number:05d}.npz", lambda path, arrays=arrays: np.savez(path, **arrays))
            _whole(
                _csv(folder, number), lambda path, table=table: table.to_csv(path, index=False)
            )  # last: it says whole
            mine += 1
        say(f"[{len(list(folder.glob('*.csv')))}/{-(-count // shard)}] images {rows.start} to {rows.stop - 1}")
    return mine


def maps_in_batches(own: OwnModel, images: OwnImages, methods: tuple[str, ...], layers: tuple[str, ...] | None) -> Made:
    """What `write_shards` asks for: maps of the predicted class at the layer's own size, float16, and for every image
    its prediction, how well each map finds its mask, and its problem where it could not be read.
    """

    def made(rows: range) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
        arrays, tables = {}, []
        for start in range(rows.start, rows.stop, BATCH):
            few = list(range(start, min(start + BATCH, rows.stop)))
            pixels, problems = _read(images, few, own.size)
            e = explain(own.model, own.images(pixels), methods, None, layers)
            table = images.dataset.table.iloc[few][["image", "label"]].reset_index(drop=True)
            p = own.predict(pixels)
            table = table.assign(predicted=[own.classes[i] for i in p.argmax(1)], p=p.max(1), problem=problems)
            bad, several = np.array([bool(text) for text in problems]), len({layer for _, layer in e.maps}) > 1
            masks = (
                images.pictures(np.array(few)[~bad], np.zeros(len(images.dataset), int)).masks
                if images.has_masks
                else None
            )
            for method, layer in e.maps:
                name = key_of(method, layer, several)
                grid = e[method, layer].float().numpy(force=True).copy()
                grid[bad] = np.nan
                arrays.setdefault(name, []).append(grid.astype(np.float16))
                if masks is not None and len(masks):
                    large = e.upsampled(method, layer, own.size, relu=False, scale=None).numpy()[~bad]
                    for measure, values in measures(large, masks, PLACE).items():
                        table.loc[~bad, f"{name}.{measure}"] = values
            table.loc[bad, ["predicted", "p"]] = ["", np.nan]
            tables.append(table)
        return {name: np.concatenate(parts) for name, parts in arrays.items()}, pd.concat(tables, ignore_index=True)

    return made


def summary(folder: Path) -> pd.DataFrame:
    """Mean of every number over all shards that are there, and over how many images; a shard at a time in memory."""
    sums, counts, problems = {}, {}, 0
    for path in sorted(folder.glob("[0-9]*.csv")):
        table = pd.read_csv(path, keep_default_na=True)
        problems += int(table["problem"].notna().sum())
        for name in table.select_dtypes("number"):
            values = table[name].dropna()
            sums[name], counts[name] = sums.get(name, 0.0) + values.sum(), counts.get(name, 0) + len(values)
    rows = {name: {"mean": sums[name] / counts[name], "images": counts[name]} for name in sums if counts[name]}
    rows["images that could not be read"] = {"mean": float("nan"), "images": problems}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("number")


def _read(images: OwnImages, rows: list[int], size: int) -> tuple[np.ndarray, list[str]]:
    """Pixels of some rows, and why a row could not be read, "" where it could; such a row is grey."""
    pixels, problems = np.full((len(rows), size, size, 3), 128, np.uint8), []
    for place, row in enumerate(rows):
        try:
            pixels[place] = prepare_image(images.dataset.image(row), size, images.crop, 3)
            problems.append("")
        except DataError as error:
            problems.append(str(error).splitlines()[0].rpartition("/")[2])
    return pixels, problems


def _same_plan(folder: Path, plan: dict) -> None:
    """Begin a folder, or go on with one of the same plan. Raises DataError for another."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "plan.json"
    if not path.is_file():
        _whole(path, lambda beside: Path(beside).write_text(json.dumps(plan, indent=1, sort_keys=True) + "\n"))
    if (found := json.loads(path.read_text())) != plan:
        other = [name for name in plan if plan[name] != found.get(name)]
        raise DataError(f"{folder.name} was begun with another {' and '.join(other)}; name another folder with --to")


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    write(beside)
    beside.replace(path)


def _csv(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.csv"
