"""ISIC 2017 as its challenge releases it: pictures, masks of part 1 and a table of diagnoses of part 3 for each of
training, validation and test. https://challenge.isic-archive.com/data/#2017
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from studylib.data.dataset import DataError
from studylib.data.importers.dermoscopy import Files
from studylib.data.importers.isic2019 import named_lesions
from studylib.data.importers.lesions import Lesion, Release, import_lesions
from studylib.data.importers.problems import noted
from studylib.data.importers.tables import Row, Table, find_table, marked, read_table, without_partner

PARTS = {"Training": "train", "Validation": "validation", "Test_v2": "test"}  # the owner's: our split
LABELS = {"melanoma": "MEL", "": "NV", "seborrheic_keratosis": "SK"}  # neither is a nevus, as the challenge says
COLUMNS = {"age": "age_approximate", "sex": "sex"}  # ours: the owner's
ABOUT = {
    "name": "isic2017",
    "title": "ISIC 2017 challenge: dermoscopic images of melanoma, nevus and seborrheic keratosis, with lesion masks",
    "homepage": "https://challenge.isic-archive.com/data/#2017",
    "licence": "images CC-0, masks CC BY-NC 4.0 (recalled or quoted elsewhere; the owner's page could not be read)",
    "citation": "Codella N. et al. Skin Lesion Analysis Toward Melanoma Detection. arXiv:1710.05006, 2017",
    "classes": tuple(LABELS.values()),
    "prepared": "Read from ISIC-2017_…_Part3_GroundTruth.csv: MEL and SK where the table marks them, else NV. split: "
    "the owner's train, validation or test (v2). age and sex from ISIC-2017_…_Data_metadata.csv where it is there. "
    "lesion_id: of ISIC_2019_Training_Metadata.csv where that lies below the release.",
}


def read_isic2017(source: Path, files: Files) -> Release:
    """Read the tables of those parts that are below `source`; DataError where there is none.

    Problems are rows that mark both classes, ids in two splits, metadata rows without diagnosis, and those of
    `read_table`.
    """
    problems: list[str] = []
    lesions: dict[str, Lesion] = {}
    known = named_lesions(source, problems)
    lacking = []
    for part, split in PARTS.items():
        path = find_table(source, f"ISIC-2017_{part}_Part3_GroundTruth")
        if path is None:
            lacking.append(split)
            continue
        table = read_table(path, "image_id", ("image_id", *filter(None, LABELS)), problems)
        metadata = _metadata(source, part, table, problems)
        for image, row in table.rows.items():
            with noted(problems):
                one = _lesion(image, row, metadata.rows.get(image), split, known.get(image, ""))
                if (first := lesions.setdefault(image, one)) is not one:
                    problems.append(f"{row.where}: {image} is also {first.where}, expected in one split; remove one")
    if len(lacking) == len(PARTS):
        raise DataError(
            f"'{source}' holds no table of diagnoses, expected such as ISIC-2017_Training_Part3_GroundTruth.csv below "
            "it; download the owner's tables there"
        )
    said = [f"no table of diagnoses for {' and '.join(lacking)}: not imported"] if lacking else []
    return Release(ABOUT, list(lesions.values()), problems, said)


import_isic2017 = partial(import_lesions, read_isic2017)


def diagnosis(row: Row) -> str:
    """Return the class that a row marks, NV where it marks none; DataError where it marks both."""
    held = marked(row, [name for name in LABELS if name])
    if len(held) > 1:
        raise DataError(
            f"{row.where}: {row.fields['image_id']} has 2 ones ({', '.join(held)}), expected one at most; take the "
            "owner's table, or remove the row"
        )
    return LABELS["".join(held)]


def _metadata(source: Path, part: str, table: Table, problems: list[str]) -> Table:
    """Read the optional table of age and sex of a part; without it an empty one."""
    path = find_table(source, f"ISIC-2017_{part}_Data_metadata")
    if path is None:
        return Table((), {})
    metadata = read_table(path, "image_id", ("image_id", *COLUMNS.values()), problems)
    problems += without_partner(metadata, table, "diagnoses")
    return metadata


def _lesion(image: str, row: Row, about: Row | None, split: str, lesion: str) -> Lesion:
    """The image of a row and of its metadata, if it has any."""
    columns = {ours: about.fields[theirs] if about else "" for ours, theirs in COLUMNS.items()}
    return Lesion(image, diagnosis(row), lesion, row.where, {"split": split, **columns})
