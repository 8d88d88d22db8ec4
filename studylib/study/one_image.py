"""One image explained by a study's trained network: prediction, calibrated confidence, maps, a sentence, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from studylib.cam import METHODS as KNOWN
from studylib.cam import explain
from studylib.data.dataset import DataError, read_image
from studylib.data.transforms import prepare_image
from studylib.metrics import calibration, concentration
from studylib.metrics.intervals import Estimate, exact, mean_by
from studylib.study.fits import Fits, Trained
from studylib.study.mapping import as_images
from studylib.study.segmenting import LAYER, explained, seen_by
from studylib.study.train import Workshop
from studylib.study.words import Description, sentence_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("cam", "gradcam", "gradcam++")
LEAST = 8  # pixels a side: of a smaller picture nothing can be seen
DOUBT = 0.6  # a calibrated probability below it is called low
UNSURE = 0.2  # of validation images, the least sure: below what they have, confidence is low where a text says so
SPOKEN = "gradcam++"  # the map whose region the words are about, as in study 5's source
LONGEST = 512  # pixels of a photograph's longer side at which its region is described
ROWS, COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


@dataclass(frozen=True, eq=False)
class Explained:
    """p: calibrated probability of every class (K,); raw: without the temperature; maps: method -> (S, S) signed, in
    units of the logit; pixels: uint8 (S, S, 3) as the network saw them; spoken: the map that words and warnings are
    about; undefined: method -> why its map has no meaning; layer: where the maps were taken.
    """

    name: str
    classes: tuple[str, ...]
    p: np.ndarray
    raw: np.ndarray
    temperature: float
    maps: dict[str, np.ndarray]
    pixels: np.ndarray
    network: str
    accuracy: str
    warnings: list[str] = field(default_factory=list)
    described: str = ""  # the region of its map in words, where the study has them
    spoken: str = "cam"
    undefined: dict[str, str] = field(default_factory=dict)
    layer: str = LAYER

    @property
    def said(self) -> int:
        return int(self.p.argmax())

    @property
    def sentence(self) -> str:
        """Prediction, confidence and where the map lies, in words."""
        if self.described:
            return self.described
        share, place = spread(self.maps[self.spoken]), place_of(self.maps[self.spoken])
        named = "class activation" if self.spoken == "cam" else KNOWN[self.spoken].title
        text = (
            f"Prediction: {words(self.classes[self.said])} ({100 * self.p[self.said]:.1f} % after temperature scaling, "
            f"temperature {self.temperature:.2f}). "
        )
        if place is None:
            return text + f"The {named} map is flat: it marks no place."
        return text + (
            f"The {named} map is highest in the {place} of the picture; half of its energy lies on "
            f"{100 * share:.0f} % of the area. A map says what raised this class's score, not where disease is."
        )


def words(name: str) -> str:
    """A class's name as words."""
    return name.replace("_", " ")


def spread(grid: np.ndarray) -> float:
    """Share of the picture that holds half of a map's positive energy."""
    return float(concentration.half_mass_area(grid[None])[0])


def place_of(grid: np.ndarray) -> str | None:
    """In which of nine fields a map is highest; None for a flat one."""
    if not np.isfinite(grid).all() or grid.max() <= grid.min():
        return None
    y, x = np.unravel_index(int(grid.argmax()), grid.shape)
    row, column = ROWS[3 * y // grid.shape[0]], COLUMNS[3 * x // grid.shape[1]]
    return "centre" if (row, column) == ("middle", "centre") else f"{row} {column}"


def readable(path: str | Path) -> np.ndarray:
    """The picture in a file, uint8 (H, W) or (H, W, 3). Raises DataError for one that is no picture or too small."""
    image = read_image(path)
    if min(image.shape[:2]) < LEAST:
        size = f"{image.shape[1]} x {image.shape[0]}"
        raise DataError(f"{Path(path).name} is {size} pixels; a picture of {LEAST} or more a side is needed")
    return image


def explain_file(workshop: Workshop, fits: Fits, path: str | Path) -> Explained:
    """Explain one image file by the first network whose maps the study judges. Raises DataError as `readable` does, and
    for a study that names no such network.

    The temperature is the one that the network's validation images chose; the accuracy that of its arm on images of
    groups that it never saw.
    """
    image, arm = readable(path), workshop.profile.main.get(workshop.data, "")
    if not arm:
        raise DataError(f"study {workshop.settings.study} names no network whose maps are judged; ask for 01 or 04")
    trained = fits.select(arm)[0]
    unit = workshop.settings.phantom_unit if workshop.data == "phantom" else workshop.settings.unit
    accuracy = str(mean_by(fits.predictions(arm), "correct", unit=unit))
    return explain_image(workshop, trained, image, Path(path).name, accuracy=accuracy)


def explain_image(
    workshop: Workshop, trained: Trained, image: np.ndarray, name: str, *, accuracy: str = "",
    methods: Sequence[str] = METHODS, layer: str = LAYER, model: torch.nn.Module | None = None,
    spoken: str = "", failed: Sequence[str] = (),
) -> Explained:  # fmt: skip
    """Explain one image by one network that learnt labels.

    image: uint8 (H, W) or (H, W, 3); accuracy: what to say of the network; methods: those that its head does not allow
    are left out; layer: where maps are taken; model: the network where it is loaded already; spoken: the map that words
    and warnings are about (by default the one of the study); failed: gates that the words warn of. Raises ValueError
    where no method has a map at the layer.
    """
    spec, dataset = trained.fit.spec, workshop.dataset(trained.run.arm.variant)
    channels = 3 if workshop.settings.colour else 1
    pixels = np.array(prepare_image(image, spec.image_size, spec.crop, channels))  # writable, as torch asks
    e = explain(model or trained.fit.model(), as_images(pixels[None]), methods, None, layer)
    logits, degree = two_sided(e.logits.double()), temperature_of(trained)
    raw = logits.softmax(1).numpy()[0]
    p = calibration.probabilities_at(logits.numpy(), degree)[0]
    maps = {m: e.upsampled(m, relu=False, scale=None)[0].numpy() for m, _ in e.maps}
    undefined = {m: why[0] for (m, _), why in e.undefined.items() if why[0]}
    spoken = spoken or (SPOKEN if workshop.settings.in_words else "cam")
    if spoken not in maps:
        spoken = next(iter(maps))
    shown = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    found = Explained(
        name, workshop.labels(dataset)[1], p, raw, degree, maps, shown, spec.title, accuracy, spoken=spoken,
        undefined=undefined, layer=layer,
    )  # fmt: skip
    told = warned(found, workshop, image, trained.run.arm.variant)
    if not workshop.settings.in_words:
        return replace(found, warnings=told)
    text = in_words(found, image, doubt_of(trained, degree), failed)
    of_region = [line.removeprefix("Warning: ") for line in text.warned]
    unlike = [line for line in told[:-1] if "training set" in line]
    return replace(found, described=" ".join(text.sentences), warnings=unlike + of_region)


def two_sided(logits: torch.Tensor) -> torch.Tensor:
    """Logits of every class, (N, K): of a network with one logit, (N, 1), those of no and yes, 0 and the logit."""
    return torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits


def in_words(found: Explained, image: np.ndarray, doubt: float, failed: Sequence[str] = ()) -> Description:
    """The region of the map in words, measured on the photograph in its own aspect."""
    picture = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)
    scale = LONGEST / max(picture.shape[:2])
    if scale < 1:
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    named = found.classes[found.said]
    grid, confidence = found.maps[found.spoken], float(found.p[found.said])
    return sentence_for(grid, picture, named, confidence, doubt=doubt, failed=failed)


def doubt_of(trained: Trained, degree: float) -> float:
    """Below which calibrated confidence a network is called unsure: what a fifth of its validation images have."""
    table = trained.fit.predictions.query("part == 'validation'")
    p = calibration.probabilities_at(np.log(table.filter(regex="^p_").to_numpy().clip(1e-7)), degree)
    return float(np.quantile(p.max(1), UNSURE))


def temperature_of(trained: Trained) -> float:
    """The temperature that a network's validation images chose."""
    table = trained.fit.predictions
    table = table[table["part"] == "validation"]
    columns = [c for c in table if c.startswith("p_")]
    found = calibration.temperature(np.log(table[columns].to_numpy().clip(1e-7)), table["label"].to_numpy())
    return found if np.isfinite(found) else 1.0  # a network that says the same of every image has none


def warned(found: Explained, workshop: Workshop, image: np.ndarray, variant: str = "plain") -> list[str]:
    """What a reader must know before believing this: low confidence, flat map, a picture unlike the training set's."""
    told = []
    if found.p.max() < DOUBT:
        told.append(f"low confidence: the likeliest class has {100 * found.p.max():.0f} %, below {100 * DOUBT:.0f} %")
    if place_of(found.maps[found.spoken]) is None:
        told.append("the map is flat: it marks no place")
    table = workshop.dataset(variant).table
    for side, value in zip(("height", "width"), image.shape[:2], strict=True):
        if side in table:
            low, high = np.quantile(table[side].astype(float), (0.005, 0.995))
            if not low <= value <= high:
                told.append(f"{side} {value} pixels; 99 % of the training set have {low:.0f} to {high:.0f}")
    return [*told, "research and teaching only, not for diagnosis"]


def text_of(found: Explained, most: int = 5) -> str:
    """What a terminal shows."""
    order = np.argsort(-found.p)[:most]
    lines = [found.sentence, "", "class                        calibrated   as trained"]
    lines += [f"{words(found.classes[i]):28s} {100 * found.p[i]:8.1f} % {100 * found.raw[i]:10.1f} %" for i in order]
    lines += ["", f"network: {found.network}; accuracy on unseen {found.accuracy}"]
    return "\n".join(lines + [f"warning: {text}" for text in found.warnings])


def figure_of(found: Explained) -> Figure:
    """The picture and its maps, signed, each on its own scale with a colour bar."""
    from matplotlib import pyplot as plt

    fig, axes = plt.subplots(1, 1 + len(found.maps), figsize=(2.6 * (1 + len(found.maps)), 3.1))
    axes[0].imshow(found.pixels)
    axes[0].set_title("as the network saw it", fontsize=9, loc="center")
    for ax, (method, grid) in zip(axes[1:], found.maps.items(), strict=True):
        top = float(np.nanmax(np.abs(grid))) if np.isfinite(grid).any() else 1.0
        image = ax.imshow(grid, cmap="PuOr_r", vmin=-top or -1, vmax=top or 1)
        bar = fig.colorbar(image, ax=ax, orientation="horizontal", shrink=0.9, pad=0.04)
        bar.ax.tick_params(labelsize=6)
        bar.locator = plt.MaxNLocator(3)
        bar.update_ticks()
        ax.set_title(KNOWN[method].title, fontsize=9, loc="center")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
    title = f"{found.name}: {words(found.classes[found.said])}, {100 * found.p[found.said]:.1f} %"
    fig.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig


def gap(workshop: Workshop, fits: Fits, most: int = 12) -> Estimate:
    """Largest difference of a class's probability between files explained one by one and the whole batch, as every map
    of the study is made; test images of the main arm's first network.
    """
    main = workshop.profile.main[workshop.data]
    seen, dataset = seen_by(workshop, fits.select(main)[0]), workshop.dataset()
    batch = explained(seen).logits.double().softmax(1).numpy()
    file_of = dict(zip(dataset.table["image"], dataset.table["file"], strict=True))
    names = seen.pictures.names[:most]
    alone = np.stack([explain_file(workshop, fits, file_of[name]).raw for name in names])
    worst = float(np.abs(alone - batch[: len(names)]).max())
    return exact(worst, n=len(names), how="probabilities of files explained one by one against the batch")
