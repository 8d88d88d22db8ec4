"""Which images are the same picture twice: perceptual hash, correlation of thumbnails, identical files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from studylib.data.dataset import Dataset
from studylib.data.images import read_image

SIDE = 32  # of the thumbnail, as in the usual pHash
BITS = 10  # of 64 that may differ
LIKENESS = 0.98  # least correlation of the two thumbnails
# Chosen on real images. The hash alone, at 4 bits, joins 9 pairs of different heads in brain_mri with its originals:
# same pose, correlation below 0.88. At 8 bits and correlation 0.95 ten pairs across groups of isic_multi were looked
# at: nine are other lesions. At 10 bits and 0.98 no pair crosses the groups of brain_mri, its originals,
# brain_figshare's person_inferred, pap_herlev's session, annocerv, cervix_types and isic_multi; the 4 of isic2017 are
# the same photographs in other colours, the 1 of brain_figshare's pid is one person by its number. 60 of the 85 pairs
# inside clusters of the originals are found: the others are the same slice in another sequence, or cropped. Of twins
# made on purpose, re-encoded (JPEG 30), halved, dimmed to 0.5, noisy (SD 10) or of another gamma (0.7), at least 99 %
# are found; turned by 2 degrees: 76 %; cropped by 2 % a side: 1 %. So this check is a lower bound, and a group that
# knows the person is still needed.


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Shrink an image (H, W) or (H, W, 3), uint8, to grey 32 x 32 by averaging areas; uint8 (32, 32)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.ndim == 3 else image
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def phash(image: np.ndarray) -> int:
    """Return the 64-bit perceptual hash of an image (H, W) or (H, W, 3), uint8.

    Bit k, from the highest, says whether coefficient k of the lowest 8 x 8 of the thumbnail's DCT, row by row, exceeds
    the median of these without the first, which is the mean brightness. Source: the DCT hash of Zauner 2010 (pHash).
    """
    low = dctn(thumbnail(image).astype(np.float64), norm="ortho")[:8, :8].ravel()
    bits = np.packbits(low > np.median(low[1:]))
    return int.from_bytes(bits.tobytes(), "big")


def signature(image: np.ndarray) -> tuple[int, bytes]:
    """Return hash and thumbnail, 1024 bytes, of an image (H, W) or (H, W, 3), uint8."""
    return phash(image), thumbnail(image).tobytes()


@lru_cache(maxsize=32_768)  # about 40 MB when full; the digest in the key makes a changed file a new one
def _signature(file: str, digest: str) -> tuple[int, bytes]:
    """Return hash and thumbnail of a file."""
    return signature(read_image(file))


def signatures(dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes, uint64 (n,), and the standardised thumbnails, float64 (n, 1024), of some rows."""
    files = dataset.table["file"].to_numpy()
    return standardised([_signature(files[row], dataset.digests[row]) for row in rows])


def standardised(found: Sequence[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes, uint64 (n,), and the standardised thumbnails, float64 (n, 1024), of signatures.

    A thumbnail has mean 0 and length 1, so that a product of two is their correlation; a flat one is all zero.
    """
    hashes = np.array([number for number, _ in found], dtype=np.uint64)
    pixels = np.array([np.frombuffer(data, dtype=np.uint8) for _, data in found], dtype=np.float64)
    pixels = pixels.reshape(len(found), SIDE * SIDE)
    pixels = pixels - pixels.mean(axis=1, keepdims=True)
    length = np.linalg.norm(pixels, axis=1, keepdims=True)
    return hashes, np.divide(pixels, length, out=np.zeros_like(pixels), where=length > 0)


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Count the bits in which each of a, uint64 (n,), differs from each of b, uint64 (m,); uint8 (n, m)."""
    return np.bitwise_count(a[:, None] ^ b[None, :])


def alike(
    a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray], bits: int = BITS, likeness: float = LIKENESS
) -> pd.DataFrame:
    """List the pairs of places in two lists of standardised signatures that show the same picture.

    A pair counts when at most `bits` of the 64 bits of the perceptual hashes differ and the 32 x 32 thumbnails
    correlate by at least `likeness`; the second condition tells the same picture from another head in the same pose.
    Columns: row_a, row_b, bits, correlation. Flat images correlate with nothing.
    """
    (hashes_a, pixels_a), (hashes_b, pixels_b) = a, b
    parts = []
    for start in range(0, len(hashes_a), 512):  # blocks keep the table of distances small
        distance = hamming(hashes_a[start : start + 512], hashes_b)
        i, k = np.nonzero(distance <= bits)
        correlation = np.einsum("ij,ij->i", pixels_a[start + i], pixels_b[k])
        keep = correlation >= likeness
        parts.append((start + i[keep], k[keep], distance[i, k][keep], correlation[keep]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [[], [], [], []]
    return pd.DataFrame(dict(zip(("row_a", "row_b", "bits", "correlation"), columns, strict=True)))


def near_duplicates(
    dataset: Dataset, rows_a: np.ndarray, rows_b: np.ndarray, bits: int = BITS, likeness: float = LIKENESS
) -> pd.DataFrame:
    """List the pairs (one row of `rows_a`, another of `rows_b`) that show the same picture, as `alike` does.

    A row is no duplicate of itself.
    """
    rows_a, rows_b = np.asarray(rows_a, dtype=np.int64), np.asarray(rows_b, dtype=np.int64)
    pairs = alike(signatures(dataset, rows_a), signatures(dataset, rows_b), bits, likeness)
    if len(pairs):
        pairs["row_a"], pairs["row_b"] = rows_a[pairs["row_a"]], rows_b[pairs["row_b"]]
    return pairs[pairs["row_a"] != pairs["row_b"]].reset_index(drop=True)


def clusters(count: int, pairs: pd.DataFrame) -> np.ndarray:
    """Number the clusters of `count` images that chains of pairs (row_a, row_b) link, int (count,), by first image."""
    ends = tuple(pairs[column].to_numpy(np.int64) for column in ("row_a", "row_b"))
    links = csr_array((np.ones(len(pairs)), ends), shape=(count, count))
    return connected_components(links, directed=False)[1]


def contents(dataset: Dataset) -> np.ndarray:
    """Return the SHA-256 of each row's image file as text (N,): equal for identical files."""
    return np.array([digest.split("+")[0] for digest in dataset.digests], dtype=str)
