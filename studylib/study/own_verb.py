"""What `python -m studylib audit` and `maps` take and do; nothing heavy is imported before it is asked for."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path


def model_options(verb: argparse.ArgumentParser) -> None:
    """Which images and which model."""
    verb.add_argument("--data", required=True, metavar="FOLDER", help="images in our layout (`data check` reads it)")
    verb.add_argument(
        "--model", required=True, metavar="MODULE:FUNCTION", help="what builds it; also FILE.py:NAME, torchvision:NAME"
    )
    verb.add_argument("--weights", metavar="FILE.safetensors", help="its weights (default: as the function builds it)")
    verb.add_argument("--classes", nargs="+", default=[], metavar="NAME", help="in the order of the outputs")
    verb.add_argument("--group", default="group", metavar="COLUMN", help="patient, lesion or slide (default group)")
    verb.add_argument("--region", default="", metavar="NAME", help="of the masks (default: the first)")
    verb.add_argument("--image-size", type=int, default=224, metavar="N", help="pixels a side (default 224)")
    verb.add_argument("--crop", default="none", help="none, centre, pad or window:N (default none: stretched)")
    verb.add_argument("--mean", nargs=3, type=float, metavar="X", help="of each colour (default ImageNet's)")
    verb.add_argument("--std", nargs=3, type=float, metavar="X", help="of each colour (default ImageNet's)")
    verb.add_argument("--methods", nargs="+", metavar="NAME", help="default gradcam gradcam++ hirescam layercam")
    verb.add_argument("--layers", nargs="+", default=[], metavar="NAME", help="default: its last spatial one")
    verb.add_argument("--to", metavar="FOLDER", help="where to write (default audit-NAME or maps-NAME beside you)")


def options(verb: argparse.ArgumentParser) -> None:
    """What an audit can be asked for."""
    model_options(verb)
    verb.add_argument("--split", default="", metavar="COLUMN", help="train, validation, test (default split)")
    verb.add_argument("--images", type=int, default=200, metavar="N", help="with masks, that are scored (default 200)")
    verb.add_argument("--seed", type=int, default=0, help="a whole number (default 0)")
    verb.add_argument("--quick", action="store_true", help="a look: fewer images and resamples")
    verb.add_argument("--force", action="store_true", help="write over a report that is there")


def maps_options(verb: argparse.ArgumentParser) -> None:
    """What a folder of maps can be asked for."""
    model_options(verb)
    verb.add_argument("--shard", type=int, default=512, metavar="N", help="images a file (default 512)")


def run(asked: argparse.Namespace) -> int:
    """Audit as asked. -> exit status"""
    target = Path(asked.to or f"audit-{Path(asked.data).resolve().name}")
    if target.exists() and not asked.force:
        print(
            f"audit: {target.name} is there; name another folder with --to, or write over it with --force",
            file=sys.stderr,
        )
        return 2
    from studylib.study.own_audit import Asked, run_audit

    given = {"mean": asked.mean, "std": asked.std, "methods": asked.methods}
    given = {name: tuple(value) for name, value in given.items() if value}
    if asked.quick:
        given |= {"curve_images": 8, "sanity_images": 8, "steps": 8, "resamples": 500}
    request = Asked(
        Path(asked.data), asked.model, Path(asked.weights) if asked.weights else None, tuple(asked.classes),
        asked.split, asked.group, asked.region, asked.image_size, asked.crop, layers=tuple(asked.layers),
        images=min(asked.images, 24) if asked.quick else asked.images, seed=asked.seed, **given,
    )  # fmt: skip
    names = [("--data", Path(asked.data).name), ("--model", asked.model)]
    names += [("--weights", Path(asked.weights).name)] if asked.weights else []
    command = "python -m studylib audit " + " ".join(f"{flag} {shlex.quote(str(value))}" for flag, value in names)
    page = run_audit(request, target, command, lambda line: print(line, flush=True))
    print(f"open {page}")
    return 0


def run_maps(asked: argparse.Namespace) -> int:
    """Write maps of every image in shards; several processes may be started on one folder. -> exit status"""
    from studylib.data.dataset import load_dataset
    from studylib.study.own_audit import METHODS
    from studylib.study.own_images import own_images
    from studylib.study.own_model import MEAN, STD, load_model
    from studylib.study.sharding import maps_in_batches, summary, write_shards

    dataset = load_dataset(Path(asked.data))
    images = own_images(dataset, group=asked.group, region=asked.region, size=asked.image_size, crop=asked.crop)
    classes, pixels = tuple(asked.classes or dataset.classes), (asked.mean or MEAN, asked.std or STD)
    weights = Path(asked.weights) if asked.weights else None
    own = load_model(asked.model, weights, classes, asked.image_size, *pixels)
    methods, layers = tuple(asked.methods or METHODS), tuple(asked.layers) or None
    target = Path(asked.to or f"maps-{dataset.name}")
    key = repr([dataset.fingerprint, own.digest, own.named.rpartition("/")[2], classes, methods, layers, *pixels])
    made = maps_in_batches(own, images, methods, layers)
    key += f" {asked.image_size} {asked.crop} {asked.region}"
    write_shards(target, len(dataset), made, key, shard=asked.shard, say=lambda line: print(line, flush=True))
    print(summary(target).to_string(float_format=lambda value: f"{value:.4g}"))
    print(f"maps and numbers of {len(dataset):,} images in {target.name}/")
    return 0
