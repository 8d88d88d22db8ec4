"""One image or mask file: what a viewer would show of it, and whether it can be trusted."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 64_000_000  # 8,000 x 8,000: above any camera or microscope frame used here, 192 MB in colour
MAX_BYTES = 512 * 2**20  # of a file on disk, so that a wrong path to an archive is not read into memory
# Named, so that Pillow never hands a file to an outside program (its EPS reader starts Ghostscript).
FORMATS = ("PNG", "JPEG", "JPEG2000", "TIFF", "BMP", "DIB", "GIF", "WEBP", "PPM")
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # "I" holds 32 bits, but is how Pillow opens some 16-bit files


class DataError(ValueError):
    """What is wrong with a dataset or a file; `problems` lists every finding, the message shows one on each line."""

    def __init__(self, problems: str | list[str], where: str = ""):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        many = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        super().__init__("\n".join([f"{where}: {many}", *self.problems] if where else self.problems))


def read_bytes(path: str | os.PathLike) -> bytes:
    """Return the content of a regular, non-empty file of at most MAX_BYTES; DataError says what is wrong instead."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # a pipe would block for ever
            raise DataError("is not a file")
        if status.st_size == 0:
            raise DataError("the file is empty (0 bytes)")
        if status.st_size > MAX_BYTES:
            raise DataError(f"the file has {status.st_size:,} bytes, the limit is {MAX_BYTES:,}")
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot be opened ({error.strerror or error})") from None


def _open(data: bytes) -> Image.Image:
    """Decode bytes with Pillow; the header's size is checked before any pixel is decoded."""
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"refused as a decompression bomb: more than {MAX_PIXELS:,} pixels; tile it first") from None
    except Exception:  # damaged headers make Pillow raise almost anything
        raise DataError(f"is not an image that can be read ({', '.join(FORMATS)})") from None
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"refused as a decompression bomb: {width:,} x {height:,} pixels, the limit is {MAX_PIXELS:,}; "
            "tile it first"
        )
    if picture.format == "TIFF" and getattr(picture, "n_frames", 1) > 1:
        raise DataError(f"holds {picture.n_frames} pages; one image a file is expected, so export each page")
    try:
        picture.load()
    except Exception as error:  # truncated data: OSError, but also SyntaxError, struct.error, zlib.error, IndexError
        raise DataError(f"is truncated or damaged ({error})") from None
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # damaged EXIF: viewers ignore it and show the pixels as stored
        return picture


def _grey_of_sixteen(picture: Image.Image) -> np.ndarray:
    """Scale the full range of 16 bits to 8: 65,535 becomes 255, whatever the image's own maximum (as viewers do)."""
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65_535:
        raise DataError(
            f"holds integers from {values.min()} to {values.max()}, outside 16 bits: how bright they are is undefined; "
            "save 8 or 16 bits with the window that a reader should see"
        )
    return np.rint(values.astype(np.float64) / 257.0).astype(np.uint8)  # 65535 / 257 = 255


def decode_image(data: bytes) -> np.ndarray:
    """Return the pixels of an encoded image as a viewer shows them; uint8 (H, W) for grey, (H, W, 3) for colour.

    The EXIF rotation is applied; 16 bits are scaled by their full range (65,535 -> 255, never stretched by the image's
    own maximum, so that brightness means the same in all images); palettes are looked up; CMYK becomes RGB;
    transparency is laid over white; of an animation the first frame counts. Raises DataError for what cannot be read,
    for floats, for TIFFs of several pages, and above MAX_PIXELS.
    """
    picture = _open(data)
    if picture.mode in SIXTEEN_BIT:
        return _grey_of_sixteen(picture)
    if picture.mode == "F":
        raise DataError("holds floats: how bright they are is undefined; save 8 or 16 bits")
    grey = picture.mode in ("1", "L", "LA", "La")
    if picture.has_transparency_data:
        over = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", over.size, (255, 255, 255, 255)), over)
    return np.array(picture.convert("L" if grey else "RGB"))


def decode_mask(data: bytes) -> tuple[np.ndarray, bool]:
    """Return the stored values of a one-channel mask, uint8 (H, W), and whether the file holds one bit a pixel.

    Palette files give their indices, not their colours. Raises DataError for colour, transparency and values above 255.
    """
    picture = _open(data)
    if picture.mode == "1":
        return np.array(picture).astype(np.uint8), True
    if picture.mode in ("L", "P"):
        return np.array(picture), False
    if picture.mode in SIXTEEN_BIT:
        values = np.asarray(picture)
        if values.min() >= 0 and values.max() <= 255:
            return values.astype(np.uint8), False
        raise DataError(f"holds values up to {values.max()}; a mask has 8 bits")
    raise DataError(
        f"has mode {picture.mode}; a mask has one 8-bit channel whose values are the regions of dataset.json"
    )


def region_values(values: np.ndarray, one_bit: bool, regions: dict[int, str]) -> np.ndarray:
    """Translate a one-bit mask's 1 to the only region that is not 0; other masks stay as they are. Same shape."""
    named = [number for number in regions if number != 0]
    return values * np.uint8(named[0]) if one_bit and len(named) == 1 else values


def unknown_values(values: np.ndarray | list[int], regions: dict[int, str]) -> list[int]:
    """List the values of a mask, or of its distinct values, that are neither 0 nor a region."""
    return sorted(set(np.unique(values).tolist()) - set(regions) - {0})


def unknown_values_text(unknown: list[int], regions: dict[int, str]) -> str:
    """Say which values of a mask are not regions, and what usually made them."""
    shown = ", ".join(map(str, unknown[:8])) + (f" … ({len(unknown)} in all)" if len(unknown) > 8 else "")
    known = ", ".join(map(str, sorted({0, *regions})))
    cause = "; saved as JPEG or resized with smoothing?" if len(unknown) > 8 else ""
    return f"holds {shown}, which 'regions' of dataset.json does not name (0 and named: {known}){cause}"


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read one image as a viewer would show it: uint8 (H, W) or (H, W, 3). Rules and errors: `decode_image`."""
    try:
        return decode_image(read_bytes(path))
    except DataError as error:
        raise DataError(f"{path} {error}") from None


def read_mask(path: str | os.PathLike, regions: dict[int, str]) -> np.ndarray:
    """Read one mask, uint8 (H, W), whose values are 0 or keys of `regions`; DataError names any other value.

    A one-bit file's 1 becomes the only region that is not 0.
    """
    try:
        values, one_bit = decode_mask(read_bytes(path))
        values = region_values(values, one_bit, regions)
        unknown = unknown_values(values, regions)
        if unknown:
            raise DataError(unknown_values_text(unknown, regions))
    except DataError as error:
        raise DataError(f"{path} {error}") from None
    return values


def inspect_file(path: str, kind: str) -> dict:
    """Decode a file once and return what validation needs: digest, height, width, and for masks the distinct values.

    `top` is the largest stored value of a 16-bit image, else 0. `kind` is "image" or "mask". Raises DataError.
    """
    data = read_bytes(path)
    facts = {"digest": hashlib.sha256(data).hexdigest(), "top": 0}
    if kind == "mask":
        pixels, facts["one_bit"] = decode_mask(data)
        facts["values"] = np.unique(pixels).tolist()
    else:
        pixels = decode_image(data)
        if pixels.ndim == 2 and data[:2] in (b"\x89P", b"II", b"MM"):  # only PNG and TIFF hold 16 bits of grey here
            with Image.open(io.BytesIO(data), formats=FORMATS) as header:
                if header.mode in SIXTEEN_BIT:
                    facts["top"] = int(np.asarray(header).max())
    facts["height"], facts["width"] = pixels.shape[:2]
    return facts
