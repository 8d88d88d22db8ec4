"""The ways to split: by group, by the owner's folds, at random as the sources did; sizes, balance, what cannot be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from studylib.data.dataset import DataError, Dataset
from studylib.data.folds import (
    by_group,
    make_split,
    options_of,
    originals_only,
    owner_folds,
    random_folds,
    random_images,
)
from studylib.data.splits import crossing

CHECK_WITHOUT_FILES = {"near_duplicates": False}


def table_only(table: pd.DataFrame, digests=None) -> Dataset:
    """A dataset without files, for what only reads the table."""
    table = table.assign(file="", mask_file="")
    digests = tuple(f"{i:064x}" for i in range(len(table))) if digests is None else tuple(digests)
    return Dataset("made", {}, table.reset_index(drop=True), ["yes", "no"], {}, digests=digests)


def brain_like(groups=60, seed=0) -> Dataset:
    """Originals, one or two a group, with 7 copies of each "yes" and 10 of each "no", as in study 2; rows are mixed."""
    rng, rows = np.random.default_rng(seed), []
    for g in range(groups):
        label = "yes" if g % 5 < 3 else "no"
        for k in range(1 + (g % 4 == 0)):
            name = f"O{g}_{k}"
            rows.append({"image": f"{name}.png", "label": label, "group": f"g{g}", "original": name, "augmented": "0"})
            for c in range(7 if label == "yes" else 10):
                rows.append(rows[-1] | {"image": f"{name}_{c}.png", "augmented": "1"})
    return table_only(pd.DataFrame(rows).iloc[rng.permutation(len(rows))])


# --- folds ----------------------------------------------------------------------------------------------------------


def test_by_group_trains_on_copies_and_tests_on_originals_of_other_groups():
    dataset = brain_like()
    split = by_group(dataset)
    assert not split.leaky and "fold 0 of 7, split by group" in split.how
    groups, copies = dataset.groups(), dataset.copies()
    parts = {name: set(groups[split.rows(name)]) for name in ("train", "validation", "test", "test_copies")}
    assert parts["test"] == parts["test_copies"]
    assert not parts["train"] & parts["test"] and not parts["train"] & parts["validation"]
    assert not parts["validation"] & parts["test"]
    assert parts["train"] | parts["validation"] | parts["test"] == set(groups)
    assert copies[split.rows("train")].all() and copies[split.rows("validation")].all()
    assert not copies[split.rows("test")].any() and copies[split.rows("test_copies")].all()
    unused = split.rows("unused")
    assert not copies[unused].any() and len(unused) + len(split.rows("test")) == (~copies).sum()
    split.check(dataset, **CHECK_WITHOUT_FILES)


def test_each_group_is_tested_once_and_classes_are_balanced_over_folds():
    dataset = brain_like()
    tested, shares = [], []
    for fold in range(7):
        rows = by_group(dataset, fold=fold).rows("test")
        tested += rows.tolist()
        shares.append((dataset.labels()[rows] == 0).mean())
        following = by_group(dataset, fold=(fold + 1) % 7)
        held_out = set(dataset.groups()[by_group(dataset, fold=fold).rows("validation")])
        assert held_out == set(dataset.groups()[following.rows("test")])  # validation is the next fold
    assert sorted(tested) == np.flatnonzero(~dataset.copies()).tolist()
    assert max(shares) - min(shares) < 0.15  # 60 % yes in all


def test_folds_do_not_depend_on_copies_or_on_the_order_of_rows():
    dataset = brain_like()
    split = by_group(dataset, fold=3, seed=5)
    originals = dataset.select(~dataset.copies())
    alone = by_group(originals, fold=3, seed=5)
    where = dict(zip(originals.groups().tolist(), alone.part.tolist(), strict=True))
    for group, part in zip(dataset.groups().tolist(), split.part.tolist(), strict=True):
        assert part == "unused" or part.removesuffix("_copies") == where[group]
    order = np.random.default_rng(1).permutation(len(dataset))
    np.testing.assert_array_equal(by_group(dataset.select(order), fold=3, seed=5).part, split.part[order])
    assert (by_group(dataset, fold=3, seed=6).part != split.part).any()


def test_plain_sets_and_copies_without_originals():
    dataset = brain_like()
    originals, copies = dataset.select(~dataset.copies()), dataset.select(dataset.copies())
    split = by_group(originals)
    assert set(split.part.tolist()) == {"train", "validation", "test"}
    split = by_group(copies)
    assert set(split.part.tolist()) == {"train", "validation", "test"} and "no untouched original" in split.how
    with pytest.raises(ValueError, match="holds no untouched original; join the originals"):
        originals_only(copies)


def test_originals_only_has_the_same_test_images_as_by_group():
    dataset = brain_like()
    one, other = by_group(dataset, fold=2), originals_only(dataset, fold=2)
    for part in ("test", "test_copies"):
        np.testing.assert_array_equal(one.rows(part), other.rows(part))
    for part in ("train", "validation"):
        assert not dataset.copies()[other.rows(part)].any()
        assert set(dataset.groups()[one.rows(part)]) == set(dataset.groups()[other.rows(part)])
    assert dataset.copies()[other.rows("unused")].all()
    other.check(dataset, **CHECK_WITHOUT_FILES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 2}, "2 folds of 60 groups"),
        ({"folds": 61}, "61 folds of 60 groups"),
        ({"fold": 7}, "fold 7 of 7: 0 to 6"),
        ({"fold": -1}, "fold -1 of 7"),
    ],
)
def test_impossible_folds(options, message):
    with pytest.raises(ValueError, match=message):
        by_group(brain_like(), **options)


# --- the source's split ---------------------------------------------------------------------------------------------


def test_random_images_has_the_source_sizes_and_uses_copies_only():
    rows = [
        {"image": f"{i}", "label": "yes", "group": f"{i // 8}", "original": f"{i // 8}", "augmented": "1"}
        for i in range(2065)
    ]
    rows += [
        {"image": f"o{i}", "label": "yes", "group": f"{i}", "original": f"{i}", "augmented": "0"} for i in range(253)
    ]
    dataset = table_only(pd.DataFrame(rows))
    split = random_images(dataset)
    assert [len(split.rows(part)) for part in ("train", "validation", "test", "unused")] == [1445, 310, 310, 253]
    assert split.leaky and "leaks" in split.how and not dataset.copies()[split.rows("unused")].any()
    np.testing.assert_array_equal(split.part, random_images(dataset, seed=0).part)
    assert (split.part != random_images(dataset, seed=1).part).any()
    halves = random_images(dataset.select(np.arange(8)), shares=(0.5, 0.25, 0.25))
    assert [len(halves.rows(part)) for part in ("train", "validation", "test")] == [4, 2, 2]
    with pytest.raises(ValueError, match="sum to 1"):
        random_images(dataset, shares=(0.7, 0.2, 0.2))


def test_names_and_options_of_splits():
    dataset = brain_like()
    np.testing.assert_array_equal(make_split("group", dataset, fold=1).part, by_group(dataset, fold=1).part)
    with pytest.raises(ValueError, match="no split is called 'random_image'.*did you mean 'random_images'"):
        make_split("random_image", dataset)
    with pytest.raises(ValueError, match="no option 'foldz'.*did you mean 'fold"):
        make_split("group", dataset, foldz=1)


# --- folds of whole sets ----------------------------------------------------------------------------------------------


def figshare_like(n=3064, people=208, **columns) -> Dataset:
    """Slices of people, three classes, one class a person; extra columns as given."""
    who = np.arange(n) % people
    names = np.array(["meningioma", "glioma", "pituitary"])
    table = {"image": [f"{i}.png" for i in range(n)], "label": names[who % 3], "group": who.astype(str)}
    return table_only(pd.DataFrame(table | columns))


def test_random_folds_have_the_sizes_that_the_source_prints_and_test_every_image_once():
    dataset = figshare_like()
    splits = [random_folds(dataset, fold=k) for k in range(5)]
    assert [len(s.rows("test")) for s in splits] == [613, 613, 613, 613, 612]
    tested = np.sort(np.concatenate([s.rows("test") for s in splits]))
    np.testing.assert_array_equal(tested, np.arange(3064))
    for s, after in zip(splits, splits[1:] + splits[:1], strict=True):
        np.testing.assert_array_equal(s.rows("validation"), after.rows("test"))
        assert s.leaky and (s.part != "unused").all()
    share = crossing(dataset, splits[0], near_duplicates=False).set_index("kind").loc["group", "share"]
    assert share == 1.0  # 15 slices a person: every test slice has a sibling in training
    with pytest.raises(ValueError, match="fold 5 of 5: 0 to 4 are possible"):
        random_folds(dataset, fold=5)


def test_owner_folds_follow_the_column_and_say_who_stands_in_several():
    who = np.arange(3064) % 208
    owner = np.where(np.arange(3064) // 208 % 2 == 0, who % 5, (who + (who < 10)) % 5) + 1  # ten people in two folds
    dataset = figshare_like(fold=owner.astype(str))
    split = owner_folds(dataset, fold=1)
    np.testing.assert_array_equal(split.part == "test", owner == 2)
    np.testing.assert_array_equal(split.part == "validation", owner == 3)
    assert split.leaky and "fold 2 of the owner's 5; 10 of 208 groups (group) stand in several" in split.how
    whole = figshare_like(fold=(who % 5).astype(str))
    assert not owner_folds(whole).leaky
    owner_folds(whole).check(whole, **CHECK_WITHOUT_FILES)


def test_owner_folds_that_cannot_be_used():
    with pytest.raises(DataError, match="made/metadata.csv has no column 'fold'"):
        owner_folds(figshare_like(30, 10))
    with pytest.raises(DataError, match="row 4: 'fold' is empty"):
        owner_folds(figshare_like(30, 10, fold=["1", "2", "", *["3"] * 27]))
    with pytest.raises(DataError, match=r"has 2 folds \(1, 2\); at least 3"):
        owner_folds(figshare_like(30, 10, fold=["1", "2"] * 15))
    with pytest.raises(DataError, match="all images of fold '7' are 'meningioma'; a fold needs two"):
        owner_folds(figshare_like(30, 10, fold=["7", *(["1", "2"] * 15)[:29]]))


def test_each_way_names_what_it_may_be_told():
    assert options_of("random_folds") == ["folds", "fold", "seed"]
    assert options_of("owner_folds") == ["fold", "group"]
