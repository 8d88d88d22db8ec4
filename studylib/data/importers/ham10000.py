"""HAM10000 as its owners release it: pictures in two parts, a table, and the masks of Tschandl et al. 2020 where they
lie below it. https://doi.org/10.7910/DVN/DBW86T
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from studylib.data.dataset import DataError
from studylib.data.importers.dermoscopy import Files
from studylib.data.importers.lesions import Lesion, Release, import_lesions
from studylib.data.importers.problems import noted
from studylib.data.importers.tables import Row, needed_table, read_table
from studylib.data.validation import nearest

DIAGNOSES = ("nv", "mel", "bkl", "bcc", "akiec", "vasc", "df")  # in the order of their numbers
COLUMNS = {"dx_type": "dx_type", "age": "age", "sex": "sex", "site": "localization"}  # ours: the owners'
ABOUT = {
    "name": "ham10000",
    "title": "HAM10000: dermoscopic images of pigmented skin lesions in seven classes, with lesion masks",
    "homepage": "https://doi.org/10.7910/DVN/DBW86T",
    "licence": "CC BY-NC 4.0 (recalled; the owner's page could not be read)",
    "citation": "Tschandl P., Rosendahl C., Kittler H. The HAM10000 dataset. Sci. Data 5:180161, 2018. Masks: Tschandl "
    "P. et al. Nat. Med. 26:1229-1234, 2020",
    "classes": tuple(name.upper() for name in DIAGNOSES),
    "prepared": "Read from HAM10000_metadata: label is dx in capitals, site is localization, source is dataset (blank "
    "in releases without that column).",
}


def read_ham10000(source: Path, files: Files) -> Release:
    """Read the table below `source`; DataError where there is none.

    Problems are a dx that is none of DIAGNOSES, and those of `read_table`.
    """
    problems: list[str] = []
    needed = ("lesion_id", "image_id", "dx", *COLUMNS.values())
    table = read_table(needed_table(source, "HAM10000_metadata"), "image_id", needed, problems)
    lesions = []
    for image, row in table.rows.items():
        columns = {ours: row.fields[theirs] for ours, theirs in COLUMNS.items()}
        with noted(problems):
            columns["source"] = row.fields.get("dataset", "")
            lesions.append(Lesion(image, diagnosis(row), row.fields["lesion_id"], row.where, columns))
    return Release(ABOUT, lesions, problems)


import_ham10000 = partial(import_lesions, read_ham10000)


def diagnosis(row: Row) -> str:
    """Return the class of a row, its dx in capitals; DataError for one that is none of DIAGNOSES names the nearest."""
    dx = row.fields["dx"]
    if dx not in DIAGNOSES:
        raise DataError(
            f"{row.where}: {row.fields['image_id']} has dx '{dx}', expected one of {', '.join(DIAGNOSES)}"
            f"{nearest(dx, DIAGNOSES)}; correct or remove the row"
        )
    return dx.upper()
