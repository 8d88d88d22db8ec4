"""The importer of HAM10000: its table with commas or tabs, with or without `dataset`, and a dx that nobody knows."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from conftest import write_lesion_mask, write_lesion_picture
from PIL import Image

from studylib.data.dataset import DataError, load_dataset
from studylib.data.importers.ham10000 import import_ham10000

TABLE = """lesion_id,image_id,dx,dx_type,age,sex,localization,dataset
HAM_0000118,ISIC_0027419,bkl,histo,80.0,male,scalp,vidir_modern
HAM_0000118,ISIC_0025030,bkl,histo,80.0,male,scalp,vidir_modern
HAM_0002730,ISIC_0026769,akiec,consensus,,unknown,back,rosendahl
"""


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "ham"
    for number, (part, image) in enumerate({"1": "ISIC_0025030", "2": "ISIC_0027419", "3": "ISIC_0026769"}.items()):
        write_lesion_picture(folder / f"HAM10000_images_part_{part}" / f"{image}.jpg", number)
    write_lesion_mask(
        folder / "HAM10000_segmentations_lesion_tschandl" / "ISIC_0027419_segmentation.png", (0, 9, 5, 18)
    )
    (folder / "HAM10000_metadata.csv").write_text(TABLE)
    return folder


def test_a_release_becomes_a_sound_data_set(release, tmp_path):
    said = []
    dataset = load_dataset(import_ham10000(release, tmp_path / "set", say=said.append))
    table = dataset.table
    assert dataset.info["classes"] == {"BKL": 2, "AKIEC": 1} and dataset.name == "ham10000"
    assert table["isic_id"].tolist() == ["ISIC_0027419", "ISIC_0025030", "ISIC_0026769"]
    assert table["group"].tolist() == ["HAM_0000118", "HAM_0000118", "HAM_0002730"]
    assert table["lesion_fraction"].tolist() == ["0.0167", "", ""]  # 5 x 9 of 60 x 45
    assert table["mask_touches_border"][0] == "1"
    first = table.iloc[0][["dx_type", "age", "sex", "site", "source"]].tolist()
    assert first == ["histo", "80.0", "male", "scalp", "vidir_modern"] and table["age"][2] == ""
    assert said == [f"3 images (BKL 2, AKIEC 1), 2 groups, 1 with a mask, written to {tmp_path / 'set'}"]


@pytest.mark.parametrize("name", ["HAM10000_metadata", "ham10000_metadata.tab"])
def test_the_table_may_have_tabs_another_name_and_no_data_set(release, tmp_path, name):
    lines = [line.rsplit(",", 1)[0] for line in TABLE.splitlines()]
    (release / "HAM10000_metadata.csv").unlink()
    (release / name).write_text("\n".join(lines).replace(",", "\t"))
    dataset = load_dataset(import_ham10000(release, tmp_path / "set", say=lambda _: None))
    assert dataset.table["label"].tolist() == ["BKL", "BKL", "AKIEC"] and set(dataset.table["source"]) == {""}


def test_an_unknown_dx_names_the_nearest(release, tmp_path):
    (release / "HAM10000_metadata.csv").write_text(TABLE.replace(",akiec,", ",akeic,").replace("bkl", "healthy", 1))
    with pytest.raises(DataError) as error:
        import_ham10000(release, tmp_path / "set", say=lambda _: None)
    known = "expected one of nv, mel, bkl, bcc, akiec, vasc, df"
    assert str(error.value).splitlines() == [
        "2 problems in 'ham', nothing was written:",
        f"  HAM10000_metadata.csv row 2: ISIC_0027419 has dx 'healthy', {known}; correct or remove the row",
        f"  HAM10000_metadata.csv row 4: ISIC_0026769 has dx 'akeic', {known}; nearest: 'akiec'; correct or remove the "
        "row",
    ]
    assert not (tmp_path / "set").exists()


def test_rows_of_the_reduced_copy_come_back_as_they_were(real_data, tmp_path):
    """Written back into the owners' layout, 30 rows give the labels, groups, masks and shares that the copy has."""
    copy = real_data / "isic_multi"
    with open(copy / "metadata.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    lesions = list(dict.fromkeys(row["lesion_id"] for row in rows))[::150][:18]
    rows = [row for row in rows if row["lesion_id"] in lesions][:30]
    source = tmp_path / "ham"
    for row in rows:
        for folder, name, end in (("part_1", "image", ".jpg"), ("masks", "mask", "_segmentation.png")):
            (source / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(copy / row[name], source / folder / f"{row['isic_id']}{end}")
    ours = ("lesion_id", "isic_id", "label", "dx_type", "age", "sex", "site", "source")
    lines = [",".join(row[name].lower() if name == "label" else row[name] for name in ours) for row in rows]
    (source / "HAM10000_metadata.csv").write_text("\n".join([TABLE.splitlines()[0], *lines]))
    dataset = load_dataset(import_ham10000(source, tmp_path / "set", say=lambda _: None))
    for name in ("label", "group", "lesion_fraction", "mask_touches_border", *ours):
        cast = float if name == "lesion_fraction" else str
        assert [cast(value) for value in dataset.table[name]] == [cast(row[name]) for row in rows], name
    for place, row in enumerate(rows):
        assert (dataset.mask(place) == np.asarray(Image.open(copy / row["mask"]))).all()
