"""A picture that someone hands in: read from memory under limits, by its content, and never written anywhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from studylib.data.images import FORMATS, DataError, decode_image
from studylib.study.one_image import LEAST

MEGABYTES = 20  # of a file; the server refuses more before it is read (server.maxUploadSize)
MOST_PIXELS = 40_000_000  # decoded, in colour: 120 MB of memory for one picture


@dataclass(frozen=True, eq=False)
class Upload:
    """A picture as a viewer shows it, uint8 (H, W) or (H, W, 3), and a mark that tells it from others.

    Its file name is not kept: names of files often name people.
    """

    pixels: np.ndarray
    mark: str

    @property
    def name(self) -> str:
        """What pages and sheets call it."""
        height, width = self.pixels.shape[:2]
        return f"uploaded picture {self.mark} ({width} x {height} pixels)"


def read_upload(content: bytes) -> Upload:
    """Read the bytes of a picture file by the rules of every image of the house (`decode_image`).

    Raises DataError, one sentence, for an empty or too large file, for what is no picture whatever it is called, for a
    damaged one, for a decompression bomb (found in the header, before any pixel is decoded), and for one too small.
    """
    if not content:
        raise DataError("This file is empty (0 bytes). Choose a picture.")
    if len(content) > MEGABYTES * 2**20:
        size = f"{len(content) / 2**20:.1f} MB"
        raise DataError(f"This file has {size}; at most {MEGABYTES} MB are read. Save a smaller copy of the picture.")
    if content[128:132] == b"DICM":
        raise DataError(
            "This file is DICOM. Export the picture as PNG, with the window that a reader should see and without the "
            "patient's data."
        )
    _check_size(content)
    try:
        pixels = decode_image(content)
    except DataError as error:
        advice = " Save the picture as PNG or JPEG and choose that." if "can be read" in str(error) else ""
        raise DataError(f"This file {error}.{advice}") from None
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST:
        raise DataError(f"This picture has {width} x {height} pixels; at least {LEAST} a side are needed.")
    return Upload(pixels, hashlib.sha256(content).hexdigest()[:8])


def _check_size(content: bytes) -> None:
    """Refuse a picture of too many pixels by what its header says; nothing is decoded."""
    import io

    from PIL import Image

    try:
        width, height = Image.open(io.BytesIO(content), formats=FORMATS).size
    except Exception:  # no picture, damaged, or above Pillow's own limit: `decode_image` says which
        return
    if width * height > MOST_PIXELS:
        raise DataError(
            f"This picture has {width:,} x {height:,} pixels; at most {MOST_PIXELS:,} are read. "
            "Cut out the part to be looked at, or save a smaller copy."
        )
