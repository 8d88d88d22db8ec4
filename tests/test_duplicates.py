"""Signatures of pictures, pairs that are alike, and the clusters that chains of pairs make."""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.data.duplicates import alike, clusters, signature, standardised


def test_clusters_are_chains_of_pairs_numbered_by_their_first():
    pairs = pd.DataFrame({"row_a": [1, 5, 3], "row_b": [3, 2, 6]})
    assert clusters(7, pairs).tolist() == [0, 1, 2, 1, 3, 2, 1]
    assert clusters(3, pairs[:0]).tolist() == [0, 1, 2]
    assert clusters(0, pd.DataFrame({"row_a": [], "row_b": []})).size == 0


def test_alike_needs_both_hash_and_thumbnail():
    waves = np.add.outer(np.sin(np.arange(64) / 9), np.cos(np.arange(64) / 7))
    image = np.rint(127 + 60 * waves).astype(np.uint8)
    number, data = signature(image)
    other = (~number & (2**64 - 1), data)  # the same thumbnail under the opposite hash
    noise = (number, np.random.default_rng(0).integers(0, 256, 1024, dtype=np.uint8).tobytes())
    near = (number ^ 0b1111111111, data)  # 10 bits differ, 11 are too many
    far = (number ^ 0b11111111111, data)
    signed = standardised([(number, data), other, noise, near, far])
    pairs = alike(standardised([(number, data)]), signed)
    assert pairs["row_b"].tolist() == [0, 3] and pairs["bits"].tolist() == [0, 10]
    assert np.allclose(np.linalg.norm(signed[1], axis=1), 1) and np.allclose(signed[1].mean(axis=1), 0)
