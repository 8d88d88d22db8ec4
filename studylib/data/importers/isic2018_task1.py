"""ISIC 2018 task 1 as its challenge releases it: pictures, and a mask of the lesion for each; no diagnoses.
https://challenge.isic-archive.com/data/#2018
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from studylib.data.dataset import DataError
from studylib.data.importers.dermoscopy import Files
from studylib.data.importers.isic2019 import named_lesions
from studylib.data.importers.lesions import Lesion, Release, import_lesions

LABEL = "lesion"  # every image has a label, and this release names no other
SPLITS = ("training", "validation", "test")
ABOUT = {
    "name": "isic2018_task1",
    "title": "ISIC 2018 challenge, task 1: dermoscopic images with lesion masks, without diagnoses",
    "homepage": "https://challenge.isic-archive.com/data/#2018",
    "licence": "CC BY-NC 4.0 (as quoted elsewhere; the owner's page could not be read)",
    "citation": "Codella N. et al. Skin Lesion Analysis Toward Melanoma Detection 2018. arXiv:1902.03368, 2019. "
    "Tschandl P. et al. The HAM10000 dataset. Sci. Data 5:180161, 2018",
    "classes": (LABEL,),
    "prepared": f"Read from pictures and masks by id. The release names no diagnoses: every label is '{LABEL}', so the "
    "set serves to measure maps and to segment, not to classify. split: that of the folder's name. lesion_id: "
    "of ISIC_2019_Training_Metadata.csv where that lies below the release.",
}


def read_isic2018_task1(source: Path, files: Files) -> Release:
    """Take every picture below `source`, each of which needs its mask; DataError where there is none."""
    if not files.pictures:
        raise DataError(
            f"'{source}' holds no picture, expected such as ISIC2018_Task1-2_Training_Input/ISIC_0000000.jpg below it; "
            "unpack the owner's archives there"
        )
    problems: list[str] = []
    known = named_lesions(source, problems)
    lesions = [
        Lesion(image, LABEL, known.get(image, ""), path.name, {"split": split_of(path.relative_to(source))})
        for image, path in sorted(files.pictures.items())
    ]
    said = (
        f"the release names no diagnoses: every label is '{LABEL}'; for labels put its masks below an isic2019 release"
    )
    return Release(ABOUT, lesions, problems, [said], every_mask=True)


import_isic2018_task1 = partial(import_lesions, read_isic2018_task1)


def split_of(path: Path) -> str:
    """Return train, validation or test, whichever the innermost folder of a path names, and "" where none does."""
    for folder in reversed(path.parent.parts):
        for name in SPLITS:
            if name in folder.lower():
                return name.removesuffix("ing")
    return ""
