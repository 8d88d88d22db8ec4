"""Verdicts read back: the source's table, kappa and McNemar by hand, and the command that prints them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score
from test_review_sheet import make_items, write

from studylib.__main__ import main
from studylib.study.misplacement import VERDICTS
from studylib.study.review import AGREED, read_review
from studylib.study.review_files import COLUMNS, KEY_COLUMNS, ReviewError, write_rows

SHEET = "s0123456789a"
GOOD, OUT, LITTLE = "meaningful", "out_of_region", "insufficient_coverage"


def write_key(folder: Path, n: int, groups: Sequence[str] | None = None) -> Path:
    """A key of n photographs; cam stands at A in the even ones."""
    rows = []
    for i in range(n):
        methods = ("cam", "crm") if i % 2 == 0 else ("crm", "cam")
        for side, method in zip("AB", methods, strict=True):
            row = {
                "sheet": SHEET,
                "image": f"image{i + 1:03d}",
                "side": side,
                "method": method,
                "name": f"photo{i}.png",
            }
            rows.append(row | {"group": groups[i] if groups else ""})
    path = folder / "key.csv"
    write_rows(path, KEY_COLUMNS, rows)
    return path


def write_verdicts(path: Path, cam: Sequence[str], crm: Sequence[str]) -> Path:
    """A reader's file: verdicts on each method, photograph by photograph."""
    rows = []
    for i, both in enumerate(zip(cam, crm, strict=True)):
        for side, verdict in zip("AB", both if i % 2 == 0 else both[::-1], strict=True):
            row = {"image": f"image{i + 1:03d}", "side": side, "verdict": verdict, "reason": "", "comment": ""}
            rows.append(row | {"sheet": SHEET})
    path.parent.mkdir(exist_ok=True)
    write_rows(path, COLUMNS, rows)
    return path


# twelve photographs: both maps good on two, both out on two, only CAM out on seven, only CRM on one
CAM = [GOOD, GOOD, OUT, OUT] + [OUT] * 4 + [LITTLE] * 3 + [GOOD]
CRM = [GOOD, GOOD, OUT, OUT] + [GOOD] * 7 + [OUT]


@pytest.fixture
def one(tmp_path):
    return read_review([write_verdicts(tmp_path / "first.csv", CAM, CRM)], write_key(tmp_path, 12))


def test_counts_by_method_and_verdict(one):
    table = one.counts("first")
    assert table.loc["cam", ["maps", *VERDICTS]].tolist() == [12, 3, 6, 3, 0, 0]
    assert table.loc["crm", ["maps", *VERDICTS]].tolist() == [12, 9, 3, 0, 0, 0]
    assert table["misplaced"].tolist() == [9, 3] and table["misplaced_share"].tolist() == [0.75, 0.25]
    assert one.methods == ("cam", "crm") and one.readers == ("first",)
    assert set(one.table["name"]) == {f"photo{i}.png" for i in range(12)}


def test_mcnemar_by_hand(one):
    result = one.mcnemar("first")
    # eight photographs differ, seven against one: 2 * (1 + 8) / 2 ** 8
    assert (result.only_a, result.only_b) == (7, 1) and result.p == pytest.approx(18 / 256)
    assert one.mcnemar("first", OUT)[:2] == (4, 1)
    estimate = one.difference("first")
    assert estimate.value == 0.5 and (estimate.n, estimate.groups, estimate.unit) == (12, 12, "image")


def test_sides_are_compared_whatever_they_were(one):
    # only A misplaced: CAM alone on the even photographs 5, 7, 9, 11 (from 1), CRM alone on the twelfth stands at A too
    assert one.sides("first")[:2] == (5, 3)


def agreeing(folder: Path, second: dict[int, str], groups=None):
    """Two readers: the second calls CAM of some photographs something else."""
    cam = [second.get(i, said) for i, said in enumerate(CAM)]
    paths = [write_verdicts(folder / "first.csv", CAM, CRM), write_verdicts(folder / "second.csv", cam, CRM)]
    return read_review(paths, write_key(folder, 12, groups))


def test_kappa_by_hand_and_as_scikit_learn(tmp_path):
    """The textbook's table: 20 both yes, 5 and 10 differ, 15 both no."""
    one = [OUT] * 25 + [GOOD] * 25
    two = [OUT] * 20 + [GOOD] * 5 + [OUT] * 10 + [GOOD] * 15
    paths = [write_verdicts(tmp_path / f"{name}.csv", said[:25], said[25:]) for name, said in (("a", one), ("b", two))]
    found = read_review(paths, write_key(tmp_path, 25)).agreement()
    assert found["kappa"].value == found["kappa.misplaced"].value == pytest.approx(0.4)
    assert found["agreed"].value == pytest.approx(35 / 50)
    # 1.96 standard errors of about 0.13 by the usual approximation
    assert -0.1 < found["kappa"].low < 0.25 and 0.55 < found["kappa"].high < 0.75
    assert (found["kappa"].n, found["kappa"].groups, found["kappa"].unit) == (25, 25, "image")
    assert "percentile bootstrap over images" in found["kappa"].how


def test_kappa_of_five_verdicts_and_of_misplaced_or_not_are_two(tmp_path):
    review = agreeing(tmp_path, {2: LITTLE, 4: GOOD, 11: "bad_image"})
    rows, found = review.beside(), review.agreement()
    assert found["kappa"].value == pytest.approx(cohen_kappa_score(rows["first"], rows["second"]))
    off = [rows[side] != GOOD for side in ("first", "second")]
    assert found["kappa.misplaced"].value == pytest.approx(cohen_kappa_score(*off)) and len(rows) == 24
    assert (
        found["kappa"].value < found["kappa.misplaced"].value
    )  # out of region against too little is no difference there
    assert found["agreed"].value == 21 / 24


def test_disagreements_are_listed_and_agreed_verdicts_compared(tmp_path):
    review = agreeing(tmp_path, {2: LITTLE, 4: GOOD, 11: "bad_image"})
    differ = review.disagreements()
    assert differ[["image", "side", "name", "method"]].values.tolist() == [
        ["image003", "A", "photo2.png", "cam"],
        ["image005", "A", "photo4.png", "cam"],
        ["image012", "B", "photo11.png", "cam"],
    ]
    assert differ[["first", "second"]].values.tolist() == [[OUT, LITTLE], [OUT, GOOD], [GOOD, "bad_image"]]
    assert len(review.of(AGREED)) == 21 and review.counts(AGREED)["misplaced"].tolist() == [7, 3]
    assert review.mcnemar("second")[:2] == (6, 0)  # photo 4 no longer, photo 11 both
    assert review.mcnemar(AGREED)[:2] == (6, 0)
    text = review.text()
    assert "3 maps on which first and second differ" in text
    assert "  image005 A (photo4.png, cam): out of region / meaningful" in text
    assert "a fault of the photograph on one of its maps only: image012" in text
    assert text.count("McNemar by image, cam against crm") == 3


def test_groups_of_the_key_are_resampled(tmp_path):
    review = agreeing(tmp_path, {2: LITTLE, 4: GOOD}, groups=[f"w{i // 2}" for i in range(12)])
    assert review.unit == "group"
    kappa = review.agreement()["kappa"]
    assert (kappa.n, kappa.groups) == (12, 6) and "indicative, 6 groups" in kappa.how
    assert review.difference("first", unit="woman").unit == "woman"


def test_missing_verdicts_are_refused_or_counted(tmp_path):
    cam = ["", *CAM[1:]]
    path, key = write_verdicts(tmp_path / "first.csv", cam, CRM), write_key(tmp_path, 12)
    with pytest.raises(ReviewError, match="first.csv: no verdict in row 2; fill them in"):
        read_review([path], key)
    review = read_review([path], key, allow_missing=True)
    assert review.counts("first").loc["cam", ["maps", "undefined", "judged", "misplaced"]].tolist() == [12, 1, 11, 9]
    both = read_review([path, write_verdicts(tmp_path / "second.csv", CAM, CRM)], key, allow_missing=True)
    assert len(both.beside()) == 23 and "kappa, all verdicts: 1 " in both.text()


def test_faults_of_both_files_are_told_at_once(tmp_path):
    key = write_key(tmp_path, 12)
    paths = [write_verdicts(tmp_path / name, ["nice", *CAM[1:]], CRM) for name in ("first.csv", "second.csv")]
    with pytest.raises(ReviewError) as caught:
        read_review(paths, key)
    assert [problem.split(" row")[0] for problem in caught.value.problems] == ["first.csv", "second.csv"]
    for given, said in (
        ([], "0 files of verdicts"),
        ([*paths, paths[0]], "3 files"),
        (paths[:1] * 2, "first.csv is given twice"),
    ):
        with pytest.raises(ReviewError, match=said):
            read_review(given, key)
    with pytest.raises(ReviewError, match="one reader agrees with nobody"):
        read_review([write_verdicts(tmp_path / "first.csv", CAM, CRM)], key).agreement()


def test_two_files_of_one_name_are_told_apart(tmp_path):
    paths = [write_verdicts(tmp_path / name / "verdicts.csv", CAM, CRM) for name in ("anna", "berta")]
    assert read_review(paths, write_key(tmp_path, 12)).readers == ("anna/verdicts", "berta/verdicts")


def test_readers_who_agree_on_nothing_that_is_paired(tmp_path):
    paths = [
        write_verdicts(tmp_path / "a.csv", [GOOD] * 3, [OUT] * 3),
        write_verdicts(tmp_path / "b.csv", [OUT] * 3, [OUT] * 3),
    ]
    text = read_review(paths, write_key(tmp_path, 3)).text()
    assert "agreed: 3 photographs, 3 maps" in text and "no photograph has a verdict on both cam and crm" in text


def test_the_whole_way_from_sheet_to_table(tmp_path, capsys):
    folder, items = write(tmp_path / "review", seed=3).parent, make_items()
    key = tmp_path / "review_key.csv"
    with open(key, encoding="utf-8", newline="") as stream:
        opened = {(row["image"], row["side"]): row for row in csv.DictReader(stream)}
    with open(folder / "verdicts.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:  # a reader who misplaces CAM of the first five women
        behind = opened[row["image"], row["side"]]
        row["verdict"] = "out of region" if behind["method"] == "cam" and behind["name"] < "woman05" else "meaningful"
    path = tmp_path / "anna.csv"
    write_rows(path, COLUMNS, rows)
    review = read_review([path], key)
    assert review.counts("anna")["misplaced"].tolist() == [5, 0] and review.mcnemar("anna")[:2] == (5, 0)
    assert set(review.table["group"]) == {item.group for item in items}
    assert main(["review", "read", str(path), "--key", str(key)]) == 0
    said = capsys.readouterr().out
    assert "anna: 9 photographs, 18 maps" in said and "only cam misplaced 5, only crm 0, p = 0.0625" in said
    assert main(["review", "read", str(path), str(path), "--key", str(key)]) == 1
    assert capsys.readouterr().err == "ReviewError: anna.csv is given twice; a second reader has a file of her own\n"
    write(tmp_path / "other", seed=4)
    assert main(["review", "read", str(path), "--key", str(tmp_path / "other_key.csv")]) == 1
    assert "give the key that was written with it" in capsys.readouterr().err
    assert main(["review", "read", str(path), "--key", str(tmp_path / "none.csv")]) == 1
    assert "none.csv: cannot be opened" in capsys.readouterr().err
