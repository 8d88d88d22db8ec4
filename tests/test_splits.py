"""Splits: leaks that must be caught, near-duplicates, shuffled labels."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from conftest import write_dataset
from PIL import Image
from test_folds import CHECK_WITHOUT_FILES, brain_like, table_only

from studylib.data.dataset import join_datasets, load_dataset
from studylib.data.duplicates import contents, hamming, near_duplicates, phash, thumbnail
from studylib.data.folds import by_group, random_images
from studylib.data.splits import LeakError, Split, crossing, shuffle_labels


def test_share_of_relatives_is_what_chance_gives():
    """Three copies each of 1,500: the two siblings of a test copy both miss 1,050 of 1,499 with 449/1499 * 448/1498."""
    rows = [{"image": f"{i}", "label": "yes", "group": f"g{i // 3}", "augmented": "1"} for i in range(1500)]
    dataset = table_only(pd.DataFrame(rows).assign(original=[f"o{i // 3}" for i in range(1500)]))
    shares = [
        crossing(dataset, random_images(dataset, seed=seed), "original", near_duplicates=False)["share"][0]
        for seed in range(20)
    ]
    assert np.mean(shares) == pytest.approx(1 - 449 / 1499 * 448 / 1498, abs=0.015)  # four standard errors


# --- the check ------------------------------------------------------------------------------------------------------


def six_rows(parts, groups="abcdef", digests=None):
    table = pd.DataFrame({"image": [f"{i}.png" for i in range(6)], "label": "yes", "group": list(groups)})
    return table_only(table, digests), Split("group", np.array(parts), False, "by hand")


def test_crossing_counts_by_hand():
    dataset, split = six_rows(["train", "train", "validation", "test", "test", "unused"], "aabacb")
    table = crossing(dataset, split, near_duplicates=False)
    row = table.iloc[0]
    assert (row.kind, row.by, row.crossing) == ("group", "group", 1)  # a; b is in validation and unused only
    assert (row.train_validation, row.train_test, row.validation_test) == (0, 1, 0)
    assert (row.test_images, row.test_related, row.share) == (2, 1, 0.5)
    with pytest.raises(
        LeakError, match=r"(?s)leaks \(1 by group\).*group 'a' is in train \(0.png\) and in test \(3.png\)"
    ):
        split.check(dataset, **CHECK_WITHOUT_FILES)


def test_identical_files_are_caught_where_groups_differ():
    same = ["a" * 64, "b" * 64, "c" * 64, "a" * 64 + "+" + "d" * 64, "e" * 64, "f" * 64]  # one of the two has a mask
    dataset, split = six_rows(["train", "train", "validation", "test", "test", "test"], digests=same)
    table = crossing(dataset, split, near_duplicates=False)
    assert table["crossing"].tolist() == [0, 1] and table["test_related"].tolist() == [0, 1]
    with pytest.raises(LeakError, match="1 by file"):
        split.check(dataset, **CHECK_WITHOUT_FILES)
    assert contents(dataset)[3] == "a" * 64


def test_test_copies_count_as_test_and_empty_values_relate_to_nobody():
    dataset, split = six_rows(["train", "validation", "test", "test", "test_copies", "test_copies"], "abccca")
    table = crossing(dataset, split, near_duplicates=False)
    assert table["train_test"][0] == 1 and table["test_related"][0] == 0  # the relative is a copy
    dataset, split = six_rows(["train"] * 2 + ["validation"] + ["test"] * 3, groups=["", "", "", "", "", ""])
    assert crossing(dataset, split, near_duplicates=False)["crossing"].tolist() == [0, 0]


def test_check_refuses_what_it_cannot_check():
    dataset, split = six_rows(["train"] * 6)
    with pytest.raises(ValueError, match="no row in 'test'"):
        split.check(dataset)
    assert np.isnan(crossing(dataset, split, near_duplicates=False)["share"]).all()
    with pytest.raises(ValueError, match="has 6 rows, made has 5"):
        crossing(dataset.select(np.arange(5)), split)
    with pytest.raises(ValueError, match="unknown parts"):
        crossing(dataset, Split("x", np.array(["train"] * 5 + ["tset"]), False, ""))
    with pytest.raises(ValueError, match="no part is called 'tests'"):
        split.rows("tests")
    with pytest.raises(KeyError, match="nearest: 'group'"):
        crossing(dataset, split, "groups")


def test_leaky_split_of_copies_fails_the_check_and_is_counted():
    dataset = brain_like()
    split = random_images(dataset)
    with pytest.raises(LeakError, match="made to leak"):
        split.check(dataset, **CHECK_WITHOUT_FILES)
    assert crossing(dataset, split, near_duplicates=False)["share"][0] > 0.99


# --- near-duplicates ------------------------------------------------------------------------------------------------


def scene(seed, size=96) -> np.ndarray:
    """A smooth random picture, no two alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 7), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC))


def test_phash_equals_a_second_implementation():
    """The discrete cosine transform written out as sums of cosines, from the thumbnail on."""
    image = scene(3)
    small = thumbnail(image).astype(np.float64)
    k, n = np.arange(8)[:, None], np.arange(32)[None, :]
    basis = np.cos(np.pi * k * (2 * n + 1) / 64) * np.where(k == 0, np.sqrt(1 / 32), np.sqrt(2 / 32))
    low = (basis @ small @ basis.T).ravel()
    bits = low > np.median(low[1:])
    expected = sum(1 << (63 - i) for i in range(64) if bits[i])
    assert phash(image) == expected
    assert bits.sum() == 32  # 31 of the 63 exceed their median, and the mean brightness does


def test_hamming_by_hand_and_speed():
    a = np.array([0b1011, 0, 2**64 - 1], dtype=np.uint64)
    b = np.array([0b0001, 2**63], dtype=np.uint64)
    assert hamming(a, b).tolist() == [[2, 4], [1, 1], [63, 63]]
    many = np.random.default_rng(0).integers(0, 2**63, 2000, dtype=np.uint64)
    start = time.perf_counter()
    distance = hamming(many, many)
    assert time.perf_counter() - start < 1 and (np.diag(distance) == 0).all() and (distance == distance.T).all()


def test_near_duplicates_find_the_same_picture_and_not_another(tmp_path):
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    first = scene(0)
    noisy = np.clip(first + np.random.default_rng(1).normal(0, 8, first.shape), 0, 255).astype(np.uint8)
    shown = {
        "first.png": first,
        "jpeg.jpg": first,
        "half.png": np.asarray(Image.fromarray(first).resize((48, 48), Image.Resampling.BOX)),
        "dim.png": (first * 0.5).astype(np.uint8),
        "noisy.png": noisy,
        "colour.png": np.stack([first] * 3, axis=-1),
        "turned.png": np.rot90(first).copy(),
        "other.png": scene(1),
        "flat.png": np.full((96, 96), 80, dtype=np.uint8),
        "flatter.png": np.full((96, 96), 90, dtype=np.uint8),
    }
    for name, pixels in shown.items():
        Image.fromarray(pixels).save(folder / "images" / name)
    rows = [{"image": f"images/{name}", "label": "yes", "group": name} for name in shown]
    dataset = load_dataset(write_dataset(folder, rows))
    pairs = near_duplicates(dataset, [0], np.arange(len(dataset)))
    assert [rows[k]["group"] for k in pairs["row_b"]] == ["jpeg.jpg", "half.png", "dim.png", "noisy.png", "colour.png"]
    assert pairs["correlation"].min() > 0.98 and pairs["bits"].max() <= 10
    everything = near_duplicates(dataset, np.arange(len(dataset)), np.arange(len(dataset)))
    assert not set(everything["row_a"]) & {6, 7, 8, 9}
    split = Split("group", np.array(["train", "validation", "test"] + ["unused"] * 4 + ["test"] * 3), False, "by hand")
    with pytest.raises(LeakError, match="3 by near-duplicate") as caught:  # 0-1, 0-2, 1-2
        split.check(dataset)
    assert "images/first.png in train, images/half.png in test" in str(caught.value)
    assert crossing(dataset, split).iloc[2][["train_validation", "train_test", "validation_test"]].tolist() == [1, 1, 1]
    apart = Split("group", np.array(["train"] * 6 + ["validation"] + ["test"] * 3), False, "by hand")
    assert apart.check(dataset)["crossing"].tolist() == [0, 0, 0]


def test_hashes_follow_a_changed_file(tiny_dataset):
    before = near_duplicates(load_dataset(tiny_dataset), [0], [1])
    (tiny_dataset / "images/1.png").write_bytes((tiny_dataset / "images/0.png").read_bytes())
    after = near_duplicates(load_dataset(tiny_dataset), [0], [1])
    assert len(before) == 0 and after["bits"].tolist() == [0] and after["correlation"][0] == pytest.approx(1)


# --- shuffled labels ------------------------------------------------------------------------------------------------


def test_shuffle_gives_every_group_one_label_and_keeps_how_many_groups_have_each():
    rng = np.random.default_rng(0)
    groups = np.repeat([f"g{i}" for i in range(40)], rng.integers(1, 9, 40))
    labels = np.array([int(g[1:]) < 25 for g in groups], dtype=np.int64)
    order = rng.permutation(len(groups))
    groups, labels = groups[order], labels[order]
    shuffled = shuffle_labels(labels, groups, np.random.default_rng(7))
    per_group = pd.DataFrame({"g": groups, "y": shuffled}).groupby("g")["y"]
    assert (per_group.nunique() == 1).all() and int(per_group.first().sum()) == 25
    assert shuffled.dtype == labels.dtype and (shuffled != labels).any()
    np.testing.assert_array_equal(shuffled, shuffle_labels(labels, groups, 7))  # a seed is a generator
    share = np.mean([(shuffle_labels(labels, groups, s) == labels).mean() for s in range(200)])
    p = 25 / 40
    assert share == pytest.approx(p * p + (1 - p) ** 2, abs=0.06)  # labels by chance


def test_shuffle_takes_the_majority_and_of_equals_the_smallest():
    groups = np.array(["a", "a", "a", "b", "b"])
    labels = np.array(["yes", "no", "yes", "yes", "no"])  # a: yes; b: a tie, "no" < "yes"
    seen = {tuple(shuffle_labels(labels, groups, seed)) for seed in range(20)}
    assert seen == {("yes", "yes", "yes", "no", "no"), ("no", "no", "no", "yes", "yes")}
    assert labels.tolist() == ["yes", "no", "yes", "yes", "no"]
    with pytest.raises(ValueError, match="5 labels for 4 groups"):
        shuffle_labels(labels, groups[:4], 0)


def test_groups_of_several_labels_share_them_out_as_rows_do():
    groups = np.repeat([f"g{i:02d}" for i in range(20)], 5)
    labels = np.tile([0, 0, 0, 1, 2], 20)  # 60, 20 and 20 % of the rows of every group
    shuffled = shuffle_labels(labels, groups, 0)
    per_group = pd.DataFrame({"g": groups, "y": shuffled}).groupby("g")["y"]
    assert (per_group.nunique() == 1).all()
    assert per_group.first().value_counts().to_dict() == {0: 12, 1: 4, 2: 4}
    assert (shuffle_labels(labels, groups, 1) != shuffled).any()


# --- real images ----------------------------------------------------------------------------------------------------


def test_real_brain_set_passes_by_group_and_leaks_at_random(real_data):
    names = ("brain_mri", "brain_mri_originals")
    dataset = join_datasets("brain", [load_dataset(real_data / name) for name in names])
    for fold in (0, 3):
        split = by_group(dataset, fold=fold)
        assert split.check(dataset)["crossing"].tolist() == [0, 0, 0]
        assert len(split.rows("test")) in (36, 37)
    split = random_images(dataset)
    assert [len(split.rows(part)) for part in ("train", "validation", "test")] == [1445, 310, 310]
    shares = [
        crossing(dataset, random_images(dataset, seed=seed), "original", near_duplicates=False)["share"][0]
        for seed in range(10)
    ]
    assert np.mean(shares) > 0.999
