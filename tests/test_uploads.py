"""A picture that is handed in: read by its content under limits; one sentence for a bad one."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from studylib.app import uploads
from studylib.app.uploads import read_upload
from studylib.data.dataset import read_image
from studylib.data.images import DataError


def saved(pixels: np.ndarray, kind: str, **how) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **how)
    return stream.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header names a size, and which holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_the_rules_are_those_of_every_image_of_the_house(tmp_path, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    content = saved(pixels, kind)
    (tmp_path / "same").write_bytes(content)
    np.testing.assert_array_equal(read_upload(content).pixels, read_image(tmp_path / "same"))


def test_a_turned_photograph_and_sixteen_bits_are_shown_as_a_viewer_shows_them():
    photograph = Image.fromarray(np.zeros((10, 20), np.uint8))
    exif = photograph.getexif()
    exif[0x0112] = 6  # turned by a quarter
    stream = io.BytesIO()
    photograph.save(stream, "JPEG", exif=exif)
    assert read_upload(stream.getvalue()).pixels.shape == (20, 10)
    deep = saved(np.full((10, 10), 65_535, np.uint16), "PNG")
    assert (read_upload(deep).pixels == 255).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"GIF89a is what I say I am", "is not an image that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is not an image that can be read"),
        (b"%PDF-1.7 and so on", "Save the picture as PNG or JPEG"),
        (b"PK\x03\x04 an archive", "is not an image that can be read"),
        (bytes(128) + b"DICM and so on", "DICOM. Export the picture as PNG"),
        (png_that_claims(30_000, 30_000), "900|decompression bomb"),
        (png_that_claims(8_000, 6_000), "48,000,000|8,000 x 6,000"),
        (png_that_claims(400, 400), "truncated or damaged"),
        (saved(np.zeros((40, 40, 3), np.uint8), "PNG")[:60], "truncated or damaged"),
        (saved(np.zeros((4, 40), np.uint8), "PNG"), "40 x 4 pixels; at least 8"),
        (saved(np.zeros((20, 20), np.float32), "TIFF"), "floats"),
    ],
    ids=["empty", "text", "svg", "pdf", "zip", "dicom", "bomb", "large", "hollow", "cut", "small", "floats"],
)  # fmt: skip
def test_a_bad_file_is_one_sentence(content, said):
    with pytest.raises(DataError, match=said) as error:
        read_upload(content)
    assert "\n" not in str(error.value) and str(error.value).startswith("This ") and len(error.value.problems) == 1


def test_a_picture_of_too_many_pixels_is_refused_before_any_is_decoded(monkeypatch):
    monkeypatch.setattr(uploads, "decode_image", lambda _: pytest.fail("decoded"))
    with pytest.raises(DataError, match="at most 40,000,000"):
        read_upload(png_that_claims(8_000, 6_000))


def test_too_many_bytes_are_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(uploads, "decode_image", lambda _: pytest.fail("decoded"))
    with pytest.raises(DataError, match=r"20\.0 MB; at most 20 MB"):
        read_upload(b"\x89PNG" + bytes(20 * 2**20))


def test_a_picture_is_named_by_its_content_never_by_its_file():
    content = saved(np.zeros((9, 12, 3), np.uint8), "PNG")
    found, again = read_upload(content), read_upload(saved(np.ones((9, 12, 3), np.uint8), "PNG"))
    assert found.name == f"uploaded picture {found.mark} (12 x 9 pixels)" and found.mark != again.mark
    assert len(found.mark) == 8 and found.mark == read_upload(content).mark
