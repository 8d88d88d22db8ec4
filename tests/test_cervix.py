"""Cervigram phantoms: what each reason draws and no other woman has, masks, boxes, cues, what stays the same."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.data.dataset import load_dataset
from studylib.data.folds import by_group
from studylib.data.phantoms.arguments import spread
from studylib.data.phantoms.cervigram.reasons import CLEAR, CRITERIA, FAINT, LESIONS, SHARES, draw_finding
from studylib.data.phantoms.cervigram.scene import CERVIX, LESION, OS, POLYP, SPECULUM, WALL
from studylib.data.phantoms.cervix import CLASSES, FRAME, Case, Recipe, draw_woman, make_cervix, plan_cases

CUES = ("marker", "frame", "reflection")
EVEN = dict.fromkeys(CRITERIA, 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cervix")


@pytest.fixture(scope="module")
def plain(folder):
    return make_cervix(folder / "plain", women=80, positive=0.5, reasons=EVEN)


@pytest.fixture(scope="module")
def found(plain) -> pd.DataFrame:
    """The table with the masks of each photograph, and what is measured on them."""
    rows = table(plain)
    rows["regions"] = [picture(plain, name) for name in rows["mask"]]
    rows["decisive"] = [picture(plain, name) == 1 if name else None for name in rows["reason_mask"].fillna("")]
    return rows


@pytest.fixture(scope="module")
def cued(folder):
    return {cue: make_cervix(folder / cue, women=30, positive=0.4, photographs=1, cue=cue) for cue in CUES}


def table(family) -> pd.DataFrame:
    return pd.read_csv(family / "metadata.csv")


def picture(family, name) -> np.ndarray:
    return np.asarray(Image.open(family / name)).astype(int)


def cervix_of(regions: np.ndarray) -> np.ndarray:
    return (regions >= CERVIX) & (regions <= POLYP)


def near(mask: np.ndarray, pixels: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0


def with_reason(found: pd.DataFrame, reason: str) -> pd.DataFrame:
    some = found[found["reason"] == reason]
    assert len(some) == 8  # 40 women, ten reasons, two photographs
    return some


def treatable(found: pd.DataFrame) -> pd.DataFrame:
    return found[found["label"] == "treatable"]


def test_it_is_a_sound_data_set_of_women_with_two_photographs(plain):
    dataset, rows = load_dataset(plain), table(plain)
    assert dataset.classes == list(CLASSES) and len(rows) == 160
    assert (rows.groupby("group").size() == 2).all() and (rows.groupby("group")["label"].nunique() == 1).all()
    assert rows["label"].value_counts().to_dict() == {"not_treatable": 80, "treatable": 80}
    assert picture(plain, rows["image"][0]).shape == (120, 160, 3)
    assert ((rows["reason"].notna()) == (rows["label"] == "not_treatable")).all()
    assert (rows["reason_mask"].notna() == rows["reason"].notna()).all()
    by_group(dataset, folds=5).check(dataset, near_duplicates=False)


def test_masks_hold_what_the_description_names_and_the_box_its_extent(found):
    for row in found.itertuples():
        assert set(np.unique(row.regions)) <= set(range(8))
        assert {CERVIX, WALL, SPECULUM} <= set(np.unique(row.regions))
        rows, columns = np.nonzero(cervix_of(row.regions))
        assert (row.box_left, row.box_top) == (columns.min(), rows.min())
        assert (row.box_right, row.box_bottom) == (columns.max() + 1, rows.max() + 1)
        share = (row.regions == LESION).sum() / cervix_of(row.regions).sum()
        assert row.lesion_fraction == pytest.approx(share, abs=1e-4)


def test_every_reason_has_a_structure_in_every_photograph(found):
    for row in found[found["reason"].notna()].itertuples():
        assert row.decisive.sum() >= 20, row.reason
        if row.reason in LESIONS:
            np.testing.assert_array_equal(row.decisive, row.regions == LESION)


def test_a_lesion_reaches_the_canal_only_where_that_is_the_reason(found):
    """It touches what is seen of the os; a clear lesion of others ends two pixels and more before it."""
    inside = [r.regions for r in with_reason(found, "lesion_into_canal").itertuples()]
    assert all((near(m == OS, 1) & (m == LESION)).any() for m in inside)
    others = treatable(found)
    others = others[others["lesion_fraction"] > 0]
    apart = [not (near(m == OS, 1) & (m == LESION)).any() for m in others["regions"]]
    assert len(apart) > 20 and all(apart)


def test_a_lesion_leaves_the_cervix_only_where_that_is_the_reason(found):
    """A lesion's pixels outside the rest of the cervix' convex hull; a clear lesion ends inside."""
    beyond = {}
    for row in found[found["lesion_fraction"] > 0].itertuples():
        rest = cervix_of(row.regions) & (row.regions != LESION)
        hull = np.zeros(rest.shape, np.uint8)
        points = np.column_stack(np.nonzero(rest))[:, ::-1].astype(np.int32)
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
        beyond.setdefault(row.reason, []).append(((row.regions == LESION) & (hull == 0)).sum())
    outside = beyond.pop("lesion_into_fornix")
    assert min(outside) >= 10 > max(max(counts) for counts in beyond.values())


def test_a_lesion_is_too_large_only_where_that_is_the_reason(found):
    large = with_reason(found, "lesion_too_large")["lesion_fraction"]
    assert large.min() > 0.42 > 0.33 > treatable(found)["lesion_fraction"].max()


def test_only_a_suspect_lesion_is_red_and_dark_in_large_part(found, plain):
    """Blood is dark in green where the rest of a lesion is nearly white."""
    dark = {}
    for row in found[found["lesion_fraction"] > 0.03].itertuples():
        green = picture(plain, row.image)[..., 1][row.regions == LESION]
        dark.setdefault(row.reason, []).append((green < 100).mean())
    assert min(dark.pop("suspect_invasion")) > 0.15 > np.median(np.concatenate(list(dark.values()))) + 0.1


def test_an_ectopy_is_too_large_only_where_that_is_the_reason(found):
    large = with_reason(found, "type_1_ectopy_too_large")
    assert (large["zone_type"] == 1).all()
    bare = large[large["lesion_fraction"] == 0]["zone_fraction"]
    assert treatable(found)["zone_fraction"].max() < bare.min()


def test_of_a_type_3_zone_nothing_is_seen_and_of_others_something(found):
    assert (with_reason(found, "type_3_out_of_sight")["zone_fraction"] == 0).all()
    assert set(found.loc[found["zone_fraction"] == 0, "reason"]) == {"type_3_out_of_sight"}
    assert set(found.loc[found["zone_type"] == 3, "reason"]) == {"type_3_out_of_sight"}


def test_a_type_2_zone_out_of_reach_is_redder_in_the_os_the_nearer_its_junction_lies(found, plain):
    """Columnar epithelium is red, the canal's other lining pink: by red over green, brightness aside."""
    red = {}
    for row in found[(found["zone_type"] == 2) & (found["lesion_fraction"] == 0)].itertuples():
        part = picture(plain, row.image)[row.regions == OS].astype(float)
        if len(part) > 30:
            red.setdefault(row.reason == "type_2_out_of_reach", []).append(np.median(part[:, 0] / (part[:, 1] + 5)))
    assert np.median(red[False]) > np.median(red[True]) + 0.2


def test_the_wall_covers_a_part_of_the_cervix_only_where_that_is_the_reason(found):
    """Against the other women: a cervix that loses a fifth to two fifths is smaller, and the lost part is wall."""
    close = with_reason(found, "vaginal_wall_close")
    assert close["cervix_fraction"].median() < 0.8 * treatable(found)["cervix_fraction"].median()
    for row in close.itertuples():
        assert (row.regions[row.decisive] == WALL).all()
        cervix = cervix_of(row.regions).sum()
        assert 0.2 < row.decisive.sum() / (row.decisive.sum() + cervix) < 0.6


def test_a_large_polyp_hangs_out_of_the_os(found):
    share = found["regions"].map(lambda m: (m == POLYP).sum() / cervix_of(m).sum())
    large = share[with_reason(found, "large_polyp").index]
    rest = share[treatable(found).index]
    assert large.min() > 0.03 > rest.max() and (rest > 0).mean() == pytest.approx(0.15, abs=0.12)
    for row in with_reason(found, "large_polyp").itertuples():
        np.testing.assert_array_equal(row.decisive, row.regions == POLYP)


def test_a_distorted_cervix_is_dented_on_its_decisive_side(found):
    """Solidity (area over convex hull): a dent lowers it, a slight one hardly."""
    solid = {}
    for row in found[found["reason"].fillna("").isin(["", "cervix_distorted"])].itertuples():
        mask = cervix_of(row.regions).astype(np.uint8)
        hull = cv2.convexHull(np.column_stack(np.nonzero(mask))[:, ::-1].astype(np.int32))
        solid.setdefault(row.label, []).append(mask.sum() / cv2.contourArea(hull))
    assert np.median(solid["not_treatable"]) < np.percentile(solid["treatable"], 5)
    for row in with_reason(found, "cervix_distorted").itertuples():
        assert 0.05 < row.decisive.mean() / cervix_of(row.regions).mean() < 0.5


def test_severity_is_above_zero_beyond_the_limit_and_clear_women_keep_away(found):
    assert found.loc[found["label"] == "not_treatable", "severity"].between(CLEAR, 1).all()
    assert found.loc[found["label"] == "treatable", "severity"].between(-1, -CLEAR).all()


def test_ambiguous_women_lie_near_a_limit_on_both_sides():
    recipe = Recipe(0, 1, 160, "reasons", None)
    cases = plan_cases(200, recipe, positive=0.5, ambiguous=0.4)
    assert sum(c.ambiguous for c in cases if c.met) == pytest.approx(40, abs=1)
    assert sum(c.ambiguous for c in cases if not c.met) == pytest.approx(40, abs=1)
    for case in cases:
        severity = draw_woman(case, recipe).anatomy.finding.severity
        low, high = (FAINT, CLEAR) if case.ambiguous else (CLEAR, 1)
        assert low <= (severity if case.met else -severity) <= high


@pytest.mark.parametrize("reason", CRITERIA)
def test_a_woman_meets_one_criterion_at_most_and_quantities_follow_their_levels(reason):
    rng = np.random.default_rng(4)
    for _ in range(50):
        met, clear = draw_finding(reason, "", rng), draw_finding("", "", rng)
        assert [name for name, level in met.levels.items() if level > 0] == [reason]
        assert max(clear.levels.values()) <= -CLEAR
        criterion = CRITERIA[reason]
        beyond = met.value(reason) - criterion.limit
        assert beyond == pytest.approx(criterion.span * met.severity) and beyond * criterion.span > 0


def test_reasons_and_classes_come_in_the_shares_that_were_asked_for():
    cases = plan_cases(1000, Recipe(0, 2, 160, "reasons", None))
    met = pd.Series([c.reason for c in cases if c.met])
    assert len(met) == 294 and all(c.label == "not_treatable" for c in cases if c.met)
    assert sum(SHARES.values()) == pytest.approx(1)
    counts = met.value_counts()
    assert all(abs(counts[name] - 294 * share) <= 1 for name, share in SHARES.items())
    rare = ("cervix_distorted", "vaginal_wall_close", "lesion_too_large", "suspect_invasion")
    assert sum(SHARES[name] for name in rare) == pytest.approx(0.05)  # "around 5 %", section 4.3.2
    only = plan_cases(40, Recipe(0, 2, 160, "reasons", None), reasons={"large_polyp": 3, "cervix_distorted": 1})
    assert pd.Series([c.reason for c in only if c.met]).value_counts().to_dict() == {
        "large_polyp": 9,
        "cervix_distorted": 3,
    }


def test_spread_gives_each_kind_its_share_in_both_classes():
    positive = np.arange(120) % 3 == 0
    kinds = pd.Series(spread({"a": 3, "b": 1, "c": 0}, positive, np.random.default_rng(0)))
    assert kinds[positive].value_counts().to_dict() == {"a": 30, "b": 10}
    assert kinds[~positive].value_counts().to_dict() == {"a": 60, "b": 20}


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_goes_with_the_class_and_changes_the_picture_only_where_it_lies(cued, folder, cue):
    rows = table(cued[cue])
    assert ((rows["cue_present"] == 1) == (rows["label"] == "not_treatable")).all()
    free = make_cervix(folder / f"{cue}_turned", women=30, positive=0.4, photographs=1, cue=cue, mode="reversed")
    other = table(free)
    assert ((other["cue_present"] == 0) == (other["label"] == "not_treatable")).all()
    same = ["label", "reason", "severity", "lesion_fraction", "zone_fraction", "box_left"]
    pd.testing.assert_frame_equal(rows[same], other[same])
    for i in np.flatnonzero(rows["cue_present"] == 1):
        assert (cued[cue] / rows["mask"][i]).read_bytes() == (free / other["mask"][i]).read_bytes()
        mark, regions = picture(cued[cue], rows["cue_mask"][i]) == 1, picture(cued[cue], rows["mask"][i])
        change = np.abs(picture(cued[cue], rows["image"][i]) - picture(free, other["image"][i])).max(-1)
        assert change[~mark].max() == 0 and change[mark].max() > 40 and not (mark & cervix_of(regions)).any()
        if cue == "reflection":
            assert (regions[mark] == SPECULUM).all()
        if cue == "frame":
            assert (picture(cued[cue], rows["image"][i])[mark] == FRAME).all()


def test_a_cue_of_a_strength_agrees_as_often_with_women(folder):
    cases = plan_cases(2000, Recipe(0, 1, 160, "none", "frame"), strength=0.8)
    agree = np.mean([c.cue == (c.label == "not_treatable") for c in cases])
    assert agree == pytest.approx(0.8, abs=0.03)
    half = plan_cases(2000, Recipe(0, 1, 160, "none", "frame"), strength=0.8, mode="dissociated")
    assert np.mean([c.cue == (c.label == "not_treatable") for c in half]) == pytest.approx(0.5, abs=0.035)


def test_where_only_a_cue_tells_the_anatomy_does_not_and_beside_reasons_it_does():
    cases = plan_cases(2000, Recipe(0, 1, 160, "none", "marker"))
    crossed = pd.crosstab([c.label for c in cases], [c.met for c in cases])
    assert crossed.loc["not_treatable", True] / crossed.loc["not_treatable"].sum() == pytest.approx(0.294, abs=0.03)
    assert crossed[True].sum() == 588
    both = plan_cases(200, Recipe(0, 1, 160, "reasons", "marker"))
    assert all(c.met == (c.label == "not_treatable") == c.cue for c in both)


def test_of_either_cue_one_suffices():
    cases = plan_cases(300, Recipe(0, 1, 160, "reasons", "either"), positive=0.3)
    kinds = pd.Series([(c.met, c.cue) for c in cases if c.label == "not_treatable"]).value_counts()
    assert kinds.to_dict() == {(True, False): 30, (False, True): 30, (True, True): 30}
    assert not any(c.met or c.cue for c in cases if c.label == "treatable")


def test_a_larger_picture_shows_the_same_anatomy(folder):
    small, large = (
        make_cervix(folder / str(s), women=4, photographs=1, positive=0.5, size=s, reasons={"lesion_into_fornix": 1})
        for s in (160, 320)
    )
    for one, two in zip(table(small)["mask"], table(large)["mask"], strict=True):
        coarse = cv2.resize(picture(large, two).astype(np.uint8), (160, 120), interpolation=cv2.INTER_NEAREST)
        assert (coarse == picture(small, one)).mean() > 0.95
    np.testing.assert_allclose(table(small)["lesion_fraction"], table(large)["lesion_fraction"], atol=0.02)


def test_the_same_arguments_give_the_same_bytes_by_any_number_of_processes(folder):
    asked = dict(women=6, positive=0.5, seed=5, cue="either", reasons=EVEN, size=96)
    first, second = make_cervix(folder / "one", **asked), make_cervix(folder / "two", **asked, processes=2)
    names = sorted(p.relative_to(first) for p in first.rglob("*.png"))
    assert len(names) >= 40 and all((first / n).read_bytes() == (second / n).read_bytes() for n in names)
    assert (first / "metadata.csv").read_bytes() == (second / "metadata.csv").read_bytes()
    other = make_cervix(folder / "other", **(asked | {"seed": 6}))
    assert (first / names[0]).read_bytes() != (other / names[0]).read_bytes()


def test_two_photographs_show_one_anatomy_in_two_views(plain):
    rows = table(plain)
    first, second = (rows[rows["photograph"] == p].set_index("group") for p in (1, 2))
    assert (first["severity"] == second["severity"]).all() and (first["box_left"] != second["box_left"]).mean() > 0.8
    part = first["reason"] != "vaginal_wall_close"
    assert np.abs(first["lesion_fraction"] - second["lesion_fraction"])[part].max() < 0.02


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cue": "markers"}, "nearest: 'marker'"),
        ({"trait": "reason"}, "nearest: 'reasons'"),
        ({"trait": "none"}, "nothing in the pictures"),
        ({"trait": "none", "cue": "either"}, "leave trait out"),
        ({"reasons": {"large_polyps": 1}}, "nearest: 'large_polyp'"),
        ({"reasons": {"large_polyp": -1}}, "at least 0"),
        ({"positive": 0.01}, "both classes need one"),
        ({"ambiguous": 1.2}, "outside 0..1"),
        ({"size": 32}, "at least 64"),
        ({"women": 3}, "at least 4"),
        ({"photographs": 0}, "at least 1"),
        ({"cue": "frame", "strength": 1.2}, "outside 0..1"),
        ({"cue": "frame", "mode": "mixed"}, "mode 'mixed'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_and_leave_nothing(tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        make_cervix(tmp_path / "x", **({"women": 4} | wrong))
    assert not list(tmp_path.iterdir())


def test_a_failure_midway_leaves_nothing(tmp_path, monkeypatch):
    from studylib.data.phantoms import cervix

    def fails(case, recipe):
        if case.number == 2:
            raise RuntimeError("no light")
        return draw_woman(case, recipe)

    monkeypatch.setattr(cervix, "draw_woman", fails)
    with pytest.raises(RuntimeError, match="no light"):
        make_cervix(tmp_path / "x", women=4, positive=0.5)
    assert not list(tmp_path.iterdir())
    assert Case(0, "treatable", "large_polyp", False, False, False).reason == ""
