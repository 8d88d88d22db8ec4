"""ISIC 2019 as its challenge releases it: pictures, a table of diagnoses with a column for each, and one of metadata;
masks of HAM10000 or ISIC 2018 task 1 where they lie below it. https://challenge.isic-archive.com/data/#2019
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from studylib.data.dataset import DataError
from studylib.data.importers.dermoscopy import Files
from studylib.data.importers.lesions import Lesion, Release, import_lesions
from studylib.data.importers.problems import noted
from studylib.data.importers.tables import Row, Table, find_table, marked, needed_table, read_table, without_partner

METADATA = "ISIC_2019_Training_Metadata"
CLASSES = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
COLUMNS = {"age": "age_approx", "sex": "sex", "site": "anatom_site_general"}  # ours: the owner's
ABOUT = {
    "name": "isic2019",
    "title": "ISIC 2019 challenge, training: dermoscopic images of HAM10000, BCN_20000 and MSK in up to nine classes",
    "homepage": "https://challenge.isic-archive.com/data/#2019",
    "licence": "CC BY-NC 4.0 (recalled; the owner's page could not be read)",
    "citation": "Tschandl P. et al. Sci. Data 5:180161, 2018. Codella N. et al. arXiv:1710.05006, 2017. "
    "Combalia M. et al. BCN20000. arXiv:1908.02288, 2019",
    "classes": CLASSES,
    "prepared": "Read from ISIC_2019_Training_GroundTruth.csv and ISIC_2019_Training_Metadata.csv, joined by image. "
    "isic_id: the id without the suffix _downsampled, by which masks and other releases know it; downsampled: whether "
    "it had the suffix. Classes without an image (UNK) are left out.",
}


def read_isic2019(source: Path, files: Files) -> Release:
    """Read both tables below `source`.

    Problems are rows with no 1 or two of them, rows of one table that the other lacks, and those of `read_table`.
    Raises DataError where a table is not there.
    """
    problems: list[str] = []
    labels = read_table(needed_table(source, "ISIC_2019_Training_GroundTruth"), "image", ("image", *CLASSES), problems)
    needed = ("image", "lesion_id", *COLUMNS.values())
    metadata = read_table(needed_table(source, METADATA), "image", needed, problems)
    problems += without_partner(labels, metadata, "metadata") + without_partner(metadata, labels, "diagnoses")
    lesions = []
    for image, row in labels.rows.items():
        with noted(problems):
            lesions.append(_lesion(image, row, metadata))
    held = {lesion.label for lesion in lesions}
    empty = [name for name in CLASSES if name not in held]
    classes = (
        f"{len(CLASSES)} classes in the table, {len(held)} hold an image; none in {', '.join(empty) or 'no other'}"
    )
    return Release(ABOUT, lesions, problems, [merged(labels, metadata), classes])


import_isic2019 = partial(import_lesions, read_isic2019)


def named_lesions(source: Path, problems: list[str]) -> dict[str, str]:
    """Return lesion ids by image id from a metadata table of ISIC 2019 below `source`; nothing where there is none.

    Releases that name no lesions share images with ISIC 2019, which names those of some.
    """
    path = find_table(source, METADATA)
    if path is None:
        return {}
    table = read_table(path, "image", ("image", "lesion_id"), problems)
    return {image: row.fields["lesion_id"] for image, row in table.rows.items()}


def diagnosis(row: Row) -> str:
    """Return the class that a row of the table of diagnoses marks; DataError unless just one column holds 1."""
    held = marked(row, CLASSES)
    if len(held) != 1:
        what = f"{len(held)} ones ({', '.join(held)})" if held else "no 1"
        raise DataError(f"{row.where}: {row.fields['image']} has {what}, expected a 1 in one of {', '.join(CLASSES)}; "
                        "take the owner's table, or remove the row")  # fmt: skip
    return held[0]


def merged(labels: Table, metadata: Table) -> str:
    """Say how large the table becomes that joins both by image, as the source of study 5 prints its shape."""
    rows = len(labels.rows.keys() & metadata.rows.keys())
    columns = len({*labels.columns, *metadata.columns})
    return (
        f"both tables joined by image: {rows:,} rows, {columns} columns ({len(labels.columns)} + "
        f"{len(metadata.columns)} - {len(labels.columns) + len(metadata.columns) - columns})"
    )


def _lesion(image: str, row: Row, metadata: Table) -> Lesion:
    """The image of a row, with what the metadata say of it."""
    about = metadata.rows.get(image)
    downsampled = row.fields["image"] != image
    columns = {ours: about.fields[theirs] if about else "" for ours, theirs in COLUMNS.items()}
    columns["downsampled"] = str(int(downsampled))
    return Lesion(image, diagnosis(row), about.fields["lesion_id"] if about else "", row.where, columns, downsampled)
