"""What the printed numbers of study 3's source mean: every one of the arithmetic done before, and second ways to it."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from studylib.study import arithmetic_03 as source
from studylib.study.report_folder import NAME

RIGHT = {"P3": (154, 207), "P4": (139, 206), "P5": (148, 206), "P6": (168, 207), "P7": (156, 206),
         "P3+P6+P7": (179, 207), "P3..P7": (175, 206), "RetinaNet": (166, 207), "blur 19": (139, 207),
         "blur 49": (75, 207)}  # fmt: skip


def fits_exactly(printed: str, sizes) -> list[int]:
    """A second way, in whole numbers: n with a k such that |k / n - printed| is at most half of the last digit."""
    half = Fraction(1, 20_000)
    return [n for n in sizes if any(abs(Fraction(k, n) - Fraction(printed)) <= half for k in range(n + 1))]


@pytest.mark.parametrize(
    ("name", "printed", "sizes"),
    [
        ("P3", "0.7440", [168, 207, 250]), ("P4", "0.6748", [163, 206, 246]), ("P5", "0.7184", [174, 206, 245]),
        ("P6", "0.8116", [207]), ("P7", "0.7573", [206, 239]), ("P3+P6+P7", "0.8647", [170, 207]),
        ("P3..P7", "0.8495", [186, 206]), ("RetinaNet", "0.8011", [176, 181, 186]), ("blur 19", "0.6715", [207]),
        ("blur 49", "0.3632", [190, 201, 212, 223, 234]), ("blur 49, 36.23?", "0.3623", [207]),
    ],
)  # fmt: skip
def test_sizes_that_make_each_accuracy_a_fraction(name, printed, sizes):
    assert list(source.fitting(source.printed_accuracies()[name])) == sizes == fits_exactly(printed, source.SIZES)
    row = source.sizes_table().loc[name]
    assert row["n that fit"] == ", ".join(map(str, sizes)) and row["k at 1033"] == 0


def test_correct_images_of_every_accuracy_and_no_common_size():
    assert source.right_of() == RIGHT
    table = source.sizes_table()
    assert table.loc["P3..P7", ["k at 206", "k at 207"]].tolist() == [175, 0]
    shared = source.shared_sizes()
    assert shared.loc[[207, 206, 186, 163], "accuracies"].tolist() == [5, 4, 2, 1]
    assert shared.index[:2].tolist() == [207, 206] and shared.loc[206, "which"] == "P4; P5; P7; P3..P7"
    assert not source.fitting(0.8647, [1033]) and 0.8647 * 1033 == pytest.approx(893.24, abs=0.005)


@pytest.mark.parametrize(
    ("n", "name", "tp", "low", "high", "near"),
    [
        (206, "P4", 38, 38, 105, [(22, 45, 101), (23, 44, 101), (24, 43, 101)]),
        (206, "P5", 38, 38, 96, [(22, 36, 110), (23, 35, 110), (24, 34, 110)]),
        (206, "P7", 41, 41, 91, [(19, 31, 115), (20, 30, 115), (21, 29, 115)]),
        (206, "P3..P7", 39, 39, 70, [(21, 10, 136), (22, 9, 136), (23, 8, 136)]),
        (207, "P3", 44, 44, 97, [(16, 37, 110), (17, 36, 110), (18, 35, 110)]),
        (207, "P6", 48, 48, 87, [(12, 27, 120), (13, 26, 120), (14, 25, 120)]),
        (207, "P3+P6+P7", 44, 44, 72, [(16, 12, 135), (17, 11, 135), (18, 10, 135)]),
    ],
)
def test_confusion_matrices_that_print_accuracy_and_f1(n, name, tp, low, high, near):
    table = source.matrices(n, *source.TABLE_2[name])
    assert table["tp"].unique().tolist() == [tp]
    assert (table["positives"].min(), table["positives"].max()) == (low, high)
    likely = source.likely_matrices().loc[(name, n)]
    assert likely.index.tolist() == [60, 61, 62]
    assert [tuple(row) for row in likely[["fn", "fp", "tn"]].to_numpy().tolist()] == near
    assert (likely["tp"] == tp).all()
    row = source.matrices_table([n]).loc[(n, name)]
    assert row.tolist() == [tp, low, high, 1, 0, 0, 0]  # one tp; no matrix under another reading of F1


def test_no_size_has_matrices_for_all_seven_models():
    table = source.matrices_table()
    there = {n: sorted(table.loc[n].index[table.loc[n]["different tp"] > 0]) for n in (205, 206, 207, 208)}
    assert there == {205: [], 206: ["P3..P7", "P4", "P5", "P7"], 207: ["P3", "P3+P6+P7", "P6"], 208: []}
    assert (table[["treatable", "macro", "weighted"]] == 0).all(axis=None)


def test_readings_of_f1_against_a_count_of_all_matrices():
    """Thirty images of which 20 are right; every F1 rounded to four digits, matrices counted one by one."""
    made = [(tp, fn, fp, 30 - tp - fn - fp) for tp, fn, fp in product(range(31), repeat=3) if fn + fp == 10]
    made = [m for m in made if m[3] >= 0 and 0 < m[0] + m[1] < 30]
    for f1 in (0.5, 0.6667, 0.5833):
        for reading, value in {
            "positive": lambda tp, fn, fp, tn: 2 * tp / (2 * tp + 10),
            "treatable": lambda tp, fn, fp, tn: 2 * tn / (2 * tn + 10),
            "macro": lambda tp, fn, fp, tn: tp / (2 * tp + 10) + tn / (2 * tn + 10),
            "weighted": lambda tp, fn, fp, tn: (
                ((tp + fn) * 2 * tp / (2 * tp + 10) + (fp + tn) * 2 * tn / (2 * tn + 10)) / 30
            ),
        }.items():
            expected = {m for m in made if abs(value(*m) - f1) <= 0.5e-4 + 1e-12}
            found = source.matrices(30, 0.6667, f1, reading)[["tp", "fn", "fp", "tn"]]
            assert {tuple(row) for row in found.to_numpy().tolist()} == expected
    with pytest.raises(ValueError, match="'micro'; F1 is read as one of positive, treatable, macro, weighted"):
        source.matrices(207, 0.8647, 0.7586, "micro")


def test_rates_that_follow_from_accuracy_f1_and_prevalence():
    expected = {
        "P3": (0.2125, 0.722, 0.753, 0.550, 0.738), "P4": (0.1845, 0.627, 0.695, 0.461, 0.661),
        "P5": (0.1845, 0.627, 0.757, 0.518, 0.692), "P6": (0.2319, 0.788, 0.821, 0.648, 0.805),
        "P7": (0.1990, 0.676, 0.791, 0.574, 0.734), "P3+P6+P7": (0.2126, 0.722, 0.924, 0.799, 0.823),
        "P3..P7": (0.1893, 0.643, 0.935, 0.806, 0.789),
    }  # fmt: skip
    table = source.implied_rates()
    for name, row in expected.items():
        assert table.loc[name].tolist() == pytest.approx(row, abs=6e-4)
    assert table["sensitivity"].idxmax() == "P6"  # the model that the source praises is not the most sensitive


@pytest.mark.parametrize(
    ("name", "low", "high", "p"),
    [
        ("P3", 0.680, 0.799, 0.128), ("P4", 0.608, 0.735, 0.853), ("P5", 0.653, 0.775, 0.376),
        ("P6", 0.753, 0.859, 0.000344), ("P7", 0.694, 0.811, 0.0589), ("P3+P6+P7", 0.811, 0.905, 5.74e-08),
        ("P3..P7", 0.794, 0.892, 1.13e-06), ("RetinaNet", 0.742, 0.851, 0.0011), ("blur 19", 0.605, 0.732, 0.876),
        ("blur 49", 0.300, 0.430, 1.0),
    ],
)  # fmt: skip
def test_intervals_and_tests_against_the_majority(name, low, high, p):
    k, n = RIGHT[name]
    e = source.wilson(k, n)
    assert (e.low, e.high) == pytest.approx((low, high), abs=6e-4)
    assert (e.low, e.high) == pytest.approx(proportion_confint(k, n, method="wilson"))
    assert e.p == pytest.approx(p, rel=6e-3) and e.p == pytest.approx(stats.binom.sf(k - 1, n, 729 / 1033))
    row = source.accuracies_table().loc[name]
    assert row.tolist() == [k, n, e.value, e.low, e.high, e.p]


def test_best_model_against_its_rivals():
    table = source.comparisons_table()
    assert table["gap in images"].tolist() == [4, 11, 13]
    assert table["unpaired p"].tolist() == pytest.approx([0.6756028243667397, 0.18176790689136688, 0.11307640073516712])
    assert table["paired p, nested"].tolist() == pytest.approx([0.125, 0.000977, 0.000244], abs=6e-7)
    # with a gap of 4, 30 images differ as 17 against 13; a gap of 11 or 13 cannot leave an even number
    assert table["only best"].tolist() == [17, 21, 22] and table["only rival"].tolist() == [13, 10, 9]
    assert table["paired p, those"].iloc[0] == pytest.approx(0.585, abs=6e-4)
    # 30 images with 9 and 8 on the lesser side, as counted before, are gaps of 12 and 14: p is too small there
    assert source.paired_p(21, 9) == pytest.approx(0.0428, abs=6e-5)
    assert source.paired_p(22, 8) == pytest.approx(0.0161, abs=6e-5)
    assert table["paired p, those"].iloc[1] > 0.05 > table["paired p, those"].iloc[2] > 0.0161
    for gap, most in zip((4, 11, 13), table["decided up to"], strict=True):
        every = [d for d in range(gap, 208, 2) if stats.binomtest((d - gap) // 2, d).pvalue < 0.05]
        assert most == max(every, default=0)
    assert table["decided up to"].iloc[0] == 0  # P3..P7: never


def test_reviewed_maps_are_mostly_of_training_images():
    found = source.reviewed()
    assert found["reviewed.accuracy"].value == pytest.approx(0.868345, abs=5e-7)
    assert found["reviewed.training.correct"].value == 718
    assert found["reviewed.training.accuracy"].value == pytest.approx(718 / 826) == pytest.approx(0.869249, abs=5e-7)
    assert found["reviewed.training.share"].value == pytest.approx(0.8004, abs=5e-5)
    assert found["reviewed.meaningful.crm"].value == pytest.approx(0.917503, abs=5e-7)
    assert found["reviewed.meaningful.cam"].value == pytest.approx(0.907469, abs=5e-7)


def test_misplaced_maps_unpaired_and_by_how_many_images_are_shared():
    assert source.misplacement_unpaired_p() == pytest.approx(0.452, abs=6e-4)
    assert source.misplacement_unpaired_p() == pytest.approx(proportions_ztest([74, 83], [897, 897])[1])
    table = source.misplacement_table()
    assert table["paired p"].tolist() == pytest.approx(
        [0.0039, 0.0490, 0.1877, 0.2892, 0.3620, 0.4597, 0.5233], abs=6e-5
    )
    assert table.loc[60, ["only CAM", "only CRM"]].tolist() == [23, 14]
    every = source.misplacement_table(range(75))["paired p"]
    assert every[every < 0.05].index.tolist() == [70, 71, 72, 73, 74]  # decided only if nearly all are shared
    with pytest.raises(ValueError, match=r"from 0 to 74 images"):
        source.misplacement_table([75])
    assert np.isnan(source.paired_p(0, 0))


def test_blur_of_49_is_no_fraction_and_its_matrices_exclude_little():
    table = source.blurred_matrices()
    rows = {61: (14, 1.00, 0.10, 0.548, 0.932), 45: (30, 0.74, 0.21, 0.472, 0.778),
            30: (45, 0.49, 0.31, 0.400, 0.633), 0: (75, 0.00, 0.51, 0.257, 0.343)}  # fmt: skip
    for tp, row in rows.items():
        assert table.loc[tp].tolist() == pytest.approx(row, abs=5e-3)
        assert table.loc[tp, ["balanced_accuracy", "called positive"]].tolist() == pytest.approx(row[3:], abs=6e-4)
    assert table.index.tolist() == list(range(62))
    assert 75 / 207 == pytest.approx(0.362319, abs=5e-7) and 73 / 201 == pytest.approx(0.363184, abs=5e-7)


def test_numbers_have_names_that_a_report_keeps():
    found = source.numbers()
    assert all(NAME.match(name) for name in found)
    values = {name.removeprefix("source."): e.value for name, e in found.items()}
    assert values["majority.accuracy"] == pytest.approx(0.705712, abs=5e-7)
    assert values["all_positive.f1"] == pytest.approx(0.4547, abs=5e-5)
    assert (values["sizes.fit_at_206"], values["sizes.fit_at_207"], values["sizes.fit_all_seven"]) == (4, 3, 0)
    assert values["blur.k49.points"] == pytest.approx(source.STATED_DROP)
    assert values["blur.k19.points"] == pytest.approx(19.32)
    assert values["blur.k49.relative"] == pytest.approx(0.580, abs=5e-4)
    assert values["blur.k49.fits"] == 0 and values["blur.k19.unpaired_p"] < 1e-5
    assert values["blur.k49.called_least"] == pytest.approx(71 / 207)
    assert values["blur.k49.called_most"] == pytest.approx(193 / 207)
    assert values["best_minus_p6.unpaired_p"] == pytest.approx(0.181768, abs=5e-7)
    assert values["best_minus_p3_to_p7.decided_up_to"] == 0
    assert found["source.accuracy.p3_p6_p7"].low == pytest.approx(0.811, abs=6e-4)
    assert "source.accuracy.retinanet" in found and "source.accuracy.blur_49" in found
