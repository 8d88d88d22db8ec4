"""Photographs of a release: how large and in what form they are kept, and which of them show the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from studylib.data.duplicates import alike, standardised

LONGER = 1200  # pixels of the longer side: three times what any network here sees, a sixth of the bytes of a camera's
QUALITY = 95  # of JPEG, without sharing colours between neighbours: acetowhite is a faint change of colour
KEPT = f"reduced to at most {LONGER:,} pixels on the longer side by averaging areas, as JPEG of quality {QUALITY}"


def reduced(image: np.ndarray, longer: int = LONGER) -> np.ndarray:
    """Shrink an image (H, W[, C]), uint8, to at most `longer` pixels on its longer side by averaging areas.

    Its aspect is kept to the nearest pixel; smaller images stay as they are.
    """
    height, width = image.shape[:2]
    scale = longer / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write an array (H, W) or (H, W, 3) RGB, uint8, as JPEG; OSError says which file could not be written."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    how = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, data = cv2.imencode(".jpg", image, how)
    if not done:
        raise OSError(f"{path.name} could not be encoded as JPEG")
    path.write_bytes(data.tobytes())


def same_pictures(found: Sequence[tuple[int, bytes]], digests: Sequence[str]) -> pd.DataFrame:
    """Pairs of places (row_a < row_b) whose pictures are the same.

    found: signatures (`studylib.data.duplicates.signature`); digests: of their files' bytes, as flat pictures have
    nothing else to be told by.
    """
    signed = standardised(found)
    pairs = alike(signed, signed)[["row_a", "row_b"]]
    first: dict[str, int] = {}
    bytes_alike = [(first.setdefault(digest, place), place) for place, digest in enumerate(digests)]
    pairs = pd.concat([pairs, pd.DataFrame(bytes_alike, columns=["row_a", "row_b"])]).astype(np.int64)
    return pairs[pairs["row_a"] < pairs["row_b"]].drop_duplicates().sort_values(["row_b", "row_a"], ignore_index=True)
