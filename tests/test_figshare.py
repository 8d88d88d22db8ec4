"""The importer of study 4's release: what a good one becomes, upright, and a clear error for each kind of bad one."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from studylib.__main__ import main
from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.figshare import border_distance, import_figshare, person_of
from studylib.data.importers.registry import IMPORTERS

SIDE = 64
IDS = ["100", "100", "MR7", "MR7B", "97607", "97737", "200", "300", "400"]
LABELS = [1, 1, 2, 2, 3, 3, 1, 2, 3]


def slice_of(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An upright slice that no turn or mirror leaves as it is, its mask, and its border, x and y from 1."""
    y, x = np.mgrid[:SIDE, :SIDE]
    image = (200 + 10 * y + 3 * x).astype(np.int16)
    at = (20 + number, 40)
    mask = ((y - at[0]) ** 2 / 36 + (x - at[1]) ** 2 / 100) <= 1
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    border = np.column_stack([at[1] + 10 * np.cos(turn), at[0] + 6 * np.sin(turn)]) + 1
    image[mask] += 900
    return image, mask, border


def write_mat(path, number: int, label=None, **changes) -> None:
    """One file as MATLAB 7.3 writes it: HDF5, arrays transposed, text as codes."""
    image, mask, border = slice_of(number)
    pid = np.array([[ord(c)] for c in IDS[number - 1]], np.uint16)
    fields = {"label": np.array([[label or LABELS[number - 1]]], float), "PID": pid, "image": image.T,
              "tumorBorder": border.reshape(-1, 1).T, "tumorMask": mask.T.astype(np.uint8)}  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        group = file.create_group("cjdata")
        for name, value in (fields | changes).items():
            if value is not None:
                group[name] = value


def write_release(folder, folds=(1, 2, 3, 4, 5, 1, 2, 3, 1)) -> None:
    for number in range(1, 10):
        write_mat(folder / f"brainTumorDataPublic_{1 + number // 5}" / f"{number}.mat", number)
    savemat(folder / "cvind.mat", {"cvind": np.array(folds)[:, None]})


@pytest.fixture
def release(tmp_path):
    write_release(tmp_path / "release", folds=(1, 2, 1, 2, 3, 3, 3, 3, 1))
    return tmp_path / "release"


def test_a_release_becomes_a_sound_data_set_upright(release, tmp_path):
    said = []
    target = import_figshare(release, tmp_path / "set", say=said.append)
    dataset = load_dataset(target, group="person_inferred")
    table = pd.read_csv(target / "metadata.csv", dtype=str)
    assert table["label"].tolist() == [{1: "meningioma", 2: "glioma", 3: "pituitary"}[k] for k in LABELS]
    assert table["fold"].tolist() == list("121233331") and table["pid"].tolist() == IDS
    assert table["person_inferred"].tolist() == ["100", "100", "MR7", "MR7", "97607", "97607", "200", "300", "400"]
    for row, number in ((0, 1), (8, 9)):
        image, mask, _ = slice_of(number)
        low, high = image.min(), image.max()
        np.testing.assert_array_equal(dataset.image(row), np.rint((image - low) / (high - low) * 255).astype(np.uint8))
        np.testing.assert_array_equal(dataset.mask(row) == 1, mask)
    assert float(table["mask_area_fraction"][0]) == pytest.approx(slice_of(1)[1].mean(), abs=1e-6)
    assert "9 slices (meningioma 3, glioma 3, pituitary 3), 8 patient ids, 6 people" in said[-1]


def test_ids_that_are_probably_one_person():
    assert [person_of(pid) for pid in ("MR040240B", "MR040240", "97737", "97607", "112649")] == [
        "MR040240", "MR040240", "97607", "97607", "112649",
    ]  # fmt: skip


def bad(release, tmp_path) -> str:
    with pytest.raises(DataError) as error:
        import_figshare(release, tmp_path / "set", say=lambda _: None)
    assert not (tmp_path / "set").exists() and not list(tmp_path.glob(".set*"))
    return str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tumorMask": None}, "2.mat: 'cjdata' lacks tumorMask; download it again"),
        ({"tumorMask": np.zeros((SIDE, SIDE), np.uint8)}, "2.mat: tumorMask is empty, but the label says meningioma"),
        ({"tumorMask": np.zeros((SIDE, 8), np.uint8)}, r"2.mat: the image is \(64, 64\) and the mask \(8, 64\)"),
        ({"tumorMask": np.roll(slice_of(2)[1].T, 9, 0).astype(np.uint8)}, "2.mat: tumorMask is shifted against tumor"),
        ({"label": np.array([[4.0]])}, "2.mat: label is .4.0., expected one of 1 meningioma, 2 glioma, 3 pituitary"),
        ({"image": np.full((SIDE, SIDE), 7, np.int16)}, "2.mat: every pixel of the image is 7"),
    ],
)  # fmt: skip
def test_each_bad_field_has_its_message_and_leaves_nothing_behind(release, tmp_path, changes, message):
    write_mat(release / "brainTumorDataPublic_1" / "2.mat", 2, **changes)
    import re

    assert re.search(message, bad(release, tmp_path))


def test_files_that_are_no_matlab_files_or_cut_off(release, tmp_path):
    (release / "brainTumorDataPublic_1" / "1.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    whole = (release / "brainTumorDataPublic_1" / "3.mat").read_bytes()
    (release / "brainTumorDataPublic_1" / "3.mat").write_bytes(whole[: len(whole) // 2])
    with h5py.File(release / "brainTumorDataPublic_1" / "4.mat", "w") as file:
        file["other"] = 1
    text = bad(release, tmp_path)
    assert "3 problems in 'release', nothing was written" in text
    assert "1.mat: not a MATLAB 7.3 (HDF5) file" in text and "3.mat: cannot be read to its end" in text
    assert "4.mat: has no struct 'cjdata' (it holds other)" in text


def test_folds_that_do_not_fit(release, tmp_path):
    savemat(release / "cvind.mat", {"cvind": np.array([1, 1, 1, 2, 2, 2, 3, 3, 3])[:, None]})
    write_mat(release / "brainTumorDataPublic_1" / "3.mat", 3, label=1)
    assert "cvind.mat: fold 1 holds meningioma only; a fold needs two classes" in bad(release, tmp_path)
    savemat(release / "cvind.mat", {"cvind": np.array([1, 2, 3])[:, None]})
    assert "cvind.mat: holds 3 folds for files numbered to 9" in bad(release, tmp_path)
    savemat(release / "cvind.mat", {"folds": np.arange(9)})
    assert "cvind.mat: has no variable 'cvind' (it holds folds)" in bad(release, tmp_path)
    (release / "cvind.mat").unlink()
    assert "cvind.mat is missing" in bad(release, tmp_path)


def test_missing_numbers_are_named_and_may_be_allowed(release, tmp_path):
    (release / "brainTumorDataPublic_2" / "7.mat").unlink()
    assert "1 files are missing (numbers 7): unpack all archives, or say --allow-missing" in bad(release, tmp_path)
    target = import_figshare(release, tmp_path / "set", allow_missing=True, say=lambda _: None)
    assert len(load_dataset(target)) == 8


def test_border_distance_by_hand_in_either_order_of_coordinates():
    mask = np.zeros((20, 30), bool)
    mask[5:10, 12:25] = True
    corners = np.array([[13, 6], [25, 6], [25, 10], [13, 10]], float)  # x, y from 1
    assert border_distance(corners, mask) == 0
    assert border_distance(corners[:, ::-1], mask) == 0
    assert border_distance(corners + [0, 4], mask) > 1.9
    assert border_distance(corners[:2], mask) == np.inf


def test_the_command_writes_to_the_data_folder_and_says_the_licence(release, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path / "data"))
    assert main(["data", "import", "brain_figshare", str(release)]) == 0
    text = capsys.readouterr().out
    assert "9 slices" in text and "licence" in text and "CC BY 4.0" in text
    assert main(["data", "check", str(tmp_path / "data" / "brain_figshare")]) == 0
    assert main(["data", "import", "brain_figshare", str(release)]) == 1  # it is there already
    assert "exists already" in capsys.readouterr().err
    assert main(["data", "import", "brain_figshair", str(release)]) == 1
    assert "did you mean 'brain_figshare'" in capsys.readouterr().err
    assert main(["data", "import"]) == 2
    assert f"name a set ({', '.join(sorted(IMPORTERS))})" in capsys.readouterr().err
    assert main(["data", "import", "brain_figshare", str(tmp_path / "nowhere")]) == 1
    assert "is not a folder" in capsys.readouterr().err
