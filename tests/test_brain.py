"""Brain phantoms: a seed decides every byte, lesions lie where masks say, cues as planted, nothing else tells."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from studylib.data.dataset import load_dataset
from studylib.data.folder import FolderWriter
from studylib.data.phantoms.brain import STEP, draw_patient, draw_slice, make_brain, plan_cases
from studylib.data.phantoms.head.lesions import lesion_centre
from studylib.data.phantoms.head.looks import LOOKS
from studylib.data.transforms import augment_copy

SMALL = {"patients": 6, "slices": 2, "copies": {"yes": 2, "no": 3}, "size": 64, "seed": 3}
PLANES = ("axial", "coronal", "sagittal")


def digest(root: Path) -> dict[str, str]:
    """Path -> hash of every file below a folder; dataset.json without the folder's own name."""
    found = {}
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.name == "dataset.json":
            data = json.dumps(json.loads(data) | {"name": ""}).encode()
        found[str(path.relative_to(root))] = hashlib.sha256(data).hexdigest()
    return found


def read_table(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / "metadata.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    return make_brain(tmp_path_factory.mktemp("brain") / "small", **SMALL)


@pytest.fixture(scope="module")
def patients() -> list:
    """Four patients of each plane, of all looks, with lesions, three slices each without and with the lesion."""
    offsets, found = (-STEP, 0.0, STEP), []
    for plane in PLANES:
        for number in range(4):
            patient = draw_patient(number, 11, plane, LOOKS[number], offsets=offsets, size=64)
            pairs = [
                [draw_slice(patient, o, size=64, number=s, lesion=lesion) for lesion in (False, True)]
                for s, o in enumerate(offsets)
            ]
            found.append((patient, pairs))
    return found


def test_same_arguments_same_bytes_whatever_the_number_of_processes(small, tmp_path):
    again = digest(make_brain(tmp_path / "again", **SMALL, processes=2))
    assert again == digest(small)
    other = digest(make_brain(tmp_path / "other", **{**SMALL, "seed": 4}))
    images = [path for path in again if path.startswith("images/")]
    assert set(other) & set(images) and all(other.get(path) != again[path] for path in images)


def test_slices_do_not_depend_on_the_order_of_drawing(patients):
    patient, pairs = patients[5]
    draw_slice(patients[0][0], 0.0, size=64)
    for s in (2, 0, 1):
        again = draw_slice(patient, (-STEP, 0.0, STEP)[s], size=64, number=s, lesion=True)
        assert np.array_equal(again.image, pairs[s][1].image)


def test_counts_groups_and_copies_are_exact(small):
    dataset, table = load_dataset(small), read_table(small)
    assert dataset.classes == ["yes", "no"] and dataset.regions == {1: "lesion"}
    assert dataset.info["classes"] == {"yes": 3 * 2 * 3, "no": 3 * 2 * 4}  # patients x slices x (1 + copies)
    assert table.groupby("group").label.nunique().eq(1).all() and table.group.nunique() == 6
    originals = table[table.augmented == "0"]
    assert (originals.image == originals.original).all() and len(originals) == 12
    per_original = table[table.augmented == "1"].groupby("original").size()
    assert per_original.to_dict() == {row.image: {"yes": 2, "no": 3}[row.label] for row in originals.itertuples()}
    assert (table.group == table.original.str.extract(r"images/(P\d+)_", expand=False)).all()
    assert (table.label_from == "lesion").all() and (table.cue == "").all()


def test_every_yes_and_no_other_image_has_a_lesion(small):
    dataset, table = load_dataset(small), read_table(small)
    for i, row in table.iterrows():
        mask = dataset.mask(i)
        assert mask.any() == (row.label == "yes") == (row.lesion == "1")
        assert float(row.lesion_area) == pytest.approx(mask.mean(), abs=1e-5)
        if mask.any():
            y, x = np.nonzero(mask)
            assert float(row.lesion_x) == pytest.approx((x.mean() + 0.5) / 64, abs=1e-4)
            assert float(row.lesion_y) == pytest.approx((y.mean() + 0.5) / 64, abs=1e-4)


def test_copies_are_the_source_kind_and_their_masks_follow(small):
    table = read_table(small)
    row = table[(table.augmented == "1") & (table.label == "yes")].iloc[0]
    original, mask = (
        cv2.imread(str(small / name), 0) for name in (row.original, row.original.replace("images", "masks"))
    )
    number, s, c = int(row.group[1:]) - 1, int(row.image[-9]) - 1, int(row.image[-6:-4]) - 1
    image, moved = augment_copy(original, mask, np.random.default_rng([3, number, 6, s, c]))
    assert np.array_equal(image, cv2.imread(str(small / row.image), 0))
    assert np.array_equal(moved, cv2.imread(str(small / row["mask"]), 0))
    painted, _ = augment_copy(
        np.where(mask, 255, 0).astype(np.uint8), mask, np.random.default_rng([3, number, 6, s, c])
    )
    assert np.array_equal(painted > painted.max() / 2, moved > 0) or (
        (painted > painted.max() / 2) ^ (moved > 0)  # bilinear against nearest: a pixel of the border at most
    ).sum() <= 0.5 * np.sqrt(4 * np.pi * moved.sum())


def test_a_lesion_changes_its_mask_and_halo_and_nothing_else(patients):
    for patient, pairs in patients:
        for without, with_lesion in pairs:
            changed = without.image != with_lesion.image
            assert with_lesion.lesion.sum() >= 6 and not without.lesion.any() and np.isnan(without.contrast)
            assert not (changed & ~with_lesion.affected).any()
            assert not (with_lesion.lesion & ~with_lesion.affected).any()
            assert not (with_lesion.lesion & ~with_lesion.brain).any()
            difference = np.abs(with_lesion.image.astype(float) - without.image)
            ring = with_lesion.affected & ~with_lesion.lesion
            assert difference[with_lesion.lesion].mean() > 2 * difference[ring].mean()
            away = cv2.distanceTransform((~with_lesion.lesion).astype(np.uint8), cv2.DIST_L2, 5)
            radius = 64 * np.sqrt(patient.lesion.area / np.pi)
            assert away[with_lesion.affected].max() < 2.2 * radius + 4  # the halo reaches 2.1 radii; blur adds pixels


def test_contrast_is_as_planted(patients):
    for patient, _ in patients:
        weak, strong = (
            draw_slice(replace(patient, lesion=replace(patient.lesion, contrast=c)), size=64, lesion=True)
            for c in (0.3, 0.6)
        )
        assert np.array_equal(weak.lesion, strong.lesion)
        assert strong.contrast / weak.contrast == pytest.approx(2, rel=0.06)  # not quite 2 at the rim, over oedema
        mean = np.abs(strong.image.astype(float) - draw_slice(patient, size=64).image)[strong.lesion].mean() / 255
        # Gamma, bias and gain stretch the difference, and the rectified noise adds a little.
        assert mean == pytest.approx(strong.contrast, rel=0.35)


def test_areas_and_places_follow_what_was_asked():
    rng, size = np.random.default_rng(0), 64
    drawn = [draw_patient(n, 5, "axial", "flair", size=size, lesion_area=(0.02, 0.4)) for n in range(60)]
    areas = np.array([patient.lesion.area for patient in drawn])
    assert np.median(areas) == pytest.approx(
        0.02, rel=0.2
    )  # 4 standard errors of a median of 60: 0.26 in the logarithm
    assert np.log(areas).std() == pytest.approx(0.4, rel=0.3)
    painted = np.array([draw_slice(patient, size=size, lesion=True).lesion.mean() for patient in drawn])
    assert np.median(painted / areas) == pytest.approx(0.97, abs=0.08)  # some lie against the skull
    x, y = np.array([patient.centre for patient in drawn]).T
    assert 0.3 < (x < 0.5).mean() < 0.7 and 0.3 < (y < 0.5).mean() < 0.7
    assert np.median(np.hypot(x - 0.5, y - 0.5)) > 0.12  # not in the middle
    allowed = rng.random((9, 9)) < 0.3
    centres = [lesion_centre(allowed, place) for place in (0.0, 0.5, 0.999)]
    assert all(allowed[y, x] for x, y in centres) and len(set(centres)) == 3


def test_planes_and_looks_are_told_apart(patients):
    outlines = {plane: [] for plane in PLANES}
    for patient, pairs in patients:
        seen = pairs[1][0]
        outlines[patient.head.plane].append(seen.image > 30)
        white = np.median(seen.image[seen.brain & ~seen.ventricles])
        if seen.ventricles.sum() > 12:
            spaces = np.median(seen.image[seen.ventricles])
            assert (spaces > 1.3 * white) if patient.look.name == "t2" else (spaces < 0.75 * white)
    means = {plane: np.mean(heads, axis=0) for plane, heads in outlines.items()}
    right = sum(
        plane == min(means, key=lambda other: np.abs(head - means[other]).mean())
        for plane, heads in outlines.items()
        for head in heads
    )
    assert right == 12


def test_slices_of_a_patient_are_more_alike_than_patients():
    def flat(image):
        image = image.astype(float).ravel()
        return (image - image.mean()) / image.std() / np.sqrt(image.size)

    same, other = [], []
    slices = []
    for number in range(6):
        patient = draw_patient(number, 2, "axial", "flair", offsets=(0.0, STEP), size=64)
        slices.append([flat(draw_slice(patient, o, size=64, number=s).image) for s, o in enumerate((0.0, STEP))])
    for i, (first, second) in enumerate(slices):
        same.append(first @ second)
        other += [first @ slices[j][1] for j in range(6) if j != i]
    assert np.median(same) > max(np.median(other) + 0.05, 0.8) and max(same) < 0.9999


def test_the_same_patient_at_another_size_is_the_same_head():
    patient = draw_patient(0, 9, "sagittal", "t1c", size=64)
    small, large = (draw_slice(patient, size=size).image for size in (64, 128))
    reduced = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
    assert np.corrcoef(small.astype(float).ravel(), reduced.ravel())[0, 1] > 0.93


@pytest.mark.parametrize("strength", [0.5, 0.8, 1.0])
def test_marker_agrees_with_the_class_as_often_as_asked(strength):
    cases = plan_cases(600, 1, cue="marker", strength=strength)
    agrees = sum(case.cue == (case.label == "yes") for case in cases)
    low, high = binom.interval(0.9999, 600, strength)
    assert low <= agrees <= high


def test_modes_keep_the_patients_and_turn_the_cue():
    planted, free, turned = (
        plan_cases(400, 1, cue="outside", strength=1.0, mode=m) for m in ("planted", "dissociated", "reversed")
    )
    key = [(case.label, case.plane, case.look, case.lesion) for case in planted]
    assert key == [(case.label, case.plane, case.look, case.lesion) for case in free]
    assert [case.cue for case in planted] == [case.label == "yes" for case in planted]
    assert [case.cue for case in turned] == [case.label == "no" for case in turned]
    assert 160 < sum(case.cue == (case.label == "yes") for case in free) < 240  # 200 +- 4 standard deviations


def test_lesions_label_independent_none():
    tied = plan_cases(200, 1, cue="marker", lesions="label")
    assert all(case.lesion == (case.label == "yes") for case in tied)
    apart = plan_cases(200, 1, cue="marker")
    by_class = [np.mean([case.lesion for case in apart if case.label == label]) for label in ("yes", "no")]
    assert by_class == pytest.approx([0.5, 0.5], abs=0.01)
    assert not any(case.lesion for case in plan_cases(200, 1, cue="marker", lesions="none"))


def test_planes_and_looks_do_not_tell_the_class():
    cases = plan_cases(100, 8)
    for name in ("plane", "look"):
        counts = pd.crosstab([getattr(case, name) for case in cases], [case.label for case in cases])
        assert (counts["yes"] - counts["no"]).abs().max() <= 1
    assert sum(case.label == "yes" for case in plan_cases(40, 2, lesion_share=0.3)) == 12


@pytest.mark.parametrize(("cue", "region"), [("marker", "corner"), ("either", "scalp"), ("outside", "ventricles")])
def test_cues_and_their_masks_in_the_folder(tmp_path, cue, region):
    root = make_brain(tmp_path / cue, patients=6, slices=1, copies={"yes": 1, "no": 0}, size=64, seed=2, cue=cue)
    table = read_table(root)
    assert set(table.cue_region) == {region} and set(table.label_from) == {cue}
    plain = read_table(make_brain(tmp_path / "plain", patients=6, slices=1, copies={}, size=64, seed=2))
    assert plain.label.tolist() == table[table.augmented == "0"].label.tolist()
    for row in table.itertuples():
        cue_mask = cv2.imread(str(root / row.cue_mask), 0)
        assert set(np.unique(cue_mask)) <= {0, 1} and cue_mask.any() == (row.cue_present == "1")
        lesion = cv2.imread(str(root / row.mask), 0)
        assert lesion.any() == (row.lesion == "1")
        if cue != "either":
            assert not (lesion & cue_mask).any()
    if cue == "either":
        assert ((table.lesion == "1") | (table.cue_present == "1")).eq(table.label == "yes").all()
        kinds = table[(table.label == "yes") & (table.augmented == "0")].groupby(["lesion", "cue_present"]).size()
        assert kinds.to_dict() == {("0", "1"): 1, ("1", "0"): 1, ("1", "1"): 1}
    else:
        assert (table.cue_present == "1").eq(table.label == "yes").all()
    assert (load_dataset(root).table["label"] == table.label).all()


def test_a_cue_changes_its_mask_and_not_the_lesion():
    for plane in PLANES:
        patient = draw_patient(1, 4, plane, "t1c", size=128, levels=(0.22, 0.60))
        plain = draw_slice(patient, size=128, lesion=True)
        marker = draw_slice(patient, size=128, lesion=True, cue="marker")
        assert np.array_equal(marker.image[~marker.cue], plain.image[~marker.cue])
        assert marker.image[marker.cue].mean() > plain.image[marker.cue].mean() + 60
        assert np.array_equal(marker.lesion, plain.lesion) and not (marker.cue & plain.brain).any()
        lump = draw_slice(patient, size=128, lesion=True, cue="either")
        near = cv2.dilate(lump.cue.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert np.array_equal(lump.image[~near], plain.image[~near])
        assert lump.image[lump.cue].mean() > plain.image[lump.cue].mean() + 30
        wide = draw_slice(patient, size=128, cue="outside")
        usual = draw_slice(patient, size=128)
        assert np.array_equal(wide.cue, wide.ventricles) and wide.ventricles.sum() > 1.4 * usual.ventricles.sum()
        far = cv2.dilate((wide.ventricles | usual.ventricles).astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        assert np.mean(wide.image[far] != usual.image[far]) < 0.02


def test_brightness_alone_does_not_tell_the_class():
    """Held-out accuracy of a line through mean and spread of brightness stays below what a lesion detector needs."""
    rows, labels = [], []
    for case in plan_cases(120, 6):
        patient = draw_patient(case.number, 6, case.plane, case.look, size=64)
        image = draw_slice(patient, size=64, lesion=case.lesion).image.astype(float)
        rows.append([1.0, image.mean(), image.std()])
        labels.append(1.0 if case.lesion else -1.0)
    x, y = np.array(rows), np.array(labels)
    x[:, 1:] = (x[:, 1:] - x[:, 1:].mean(0)) / x[:, 1:].std(0)
    right = 0
    for fold in range(5):
        held = np.arange(120) % 5 == fold
        weights = np.linalg.lstsq(x[~held], y[~held], rcond=None)[0]
        right += int(((x[held] @ weights > 0) == (y[held] > 0)).sum())
    assert right / 120 < 0.72  # planned below 0.70; the standard error with 120 patients is 0.045


def test_a_failure_leaves_nothing_and_a_folder_is_not_overwritten(tmp_path, small):
    with pytest.raises(RuntimeError), FolderWriter(tmp_path / "half") as folder:
        (folder.path / "images" / "a.png").write_bytes(b"")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileExistsError, match="small"):
        make_brain(small, **SMALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"cue": "markr"}, "nearest: 'marker'"),
        ({"cue": "marker", "strength": 1.5}, "outside 0..1"),
        ({"cue": "marker", "mode": "free"}, "dissociated"),
        ({"lesions": "none"}, "nothing in the images"),
        ({"cue": "either", "lesions": "independent"}, "either"),
        ({"planes": {"axiol": 1}}, "nearest: 'axial'"),
        ({"look": {"flair": 0}}, "no kind has a share"),
        ({"copies": {"maybe": 1}}, "copies"),
        ({"copies": {"yes": -1}}, "at least 0"),
        ({"patients": 1}, "at least 2"),
        ({"lesion_share": 1.2}, "lesion_share"),
        ({"lesion_contrast": (0.9, 0.2)}, "lesion_contrast"),
    ],
)
def test_wrong_arguments_are_named_and_leave_nothing(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        make_brain(tmp_path / "x", **{**SMALL, **wrong})
    assert not list(tmp_path.iterdir())
