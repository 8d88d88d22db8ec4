"""Pixels are prepared once, whole or not at all, and their digest follows what a network would see."""

import numpy as np

from studylib.data.dataset import load_dataset
from studylib.data.transforms import prepare
from studylib.training.memory import keep_buffers
from studylib.training.pixels import load_pixels


def test_prepared_once_and_equal_to_the_transform(tiny_dataset, tmp_path):
    dataset = load_dataset(tiny_dataset)
    array, digest = load_pixels(dataset, 16, "none", tmp_path)
    np.testing.assert_array_equal(array, prepare(dataset, 16, "none"))
    made = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")}
    again, same = load_pixels(dataset, 16, "none", tmp_path)
    assert same == digest and made == {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.npy")}
    assert load_pixels(dataset, 24, "none", tmp_path)[1] != digest


def test_a_kill_before_the_digest_means_preparing_again(tiny_dataset, tmp_path):
    dataset = load_dataset(tiny_dataset)
    array, digest = load_pixels(dataset, 16, "none", tmp_path)
    next(tmp_path.glob("*.txt")).unlink()
    next(tmp_path.glob("*.npy")).write_bytes(b"half")
    array, again = load_pixels(dataset, 16, "none", tmp_path)
    assert again == digest and array.shape[1:] == (16, 16)


def test_asking_for_kept_buffers_changes_no_result():
    before = np.arange(1e6).sum()
    keep_buffers()
    assert np.arange(1e6).sum() == before
