"""Skin lesion phantoms: classes and shares, what tells them apart, masks, attributes, cues, what stays the same."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from studylib.data.dataset import load_dataset
from studylib.data.folds import by_group
from studylib.data.phantoms import skin
from studylib.data.phantoms.dermoscopy.looks import COLOURS, TONES
from studylib.data.phantoms.skin import CLASSES, LEAST, REGIONS, SHARES, Recipe, class_counts, make_skin, plan_cases

VALUE = {name: int(value) for value, name in REGIONS.items()}
CUES = ("ruler", "ink", "size")
EVEN = dict.fromkeys(CLASSES, 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("skin")


@pytest.fixture(scope="module")
def plain(folder):
    return make_skin(folder / "plain", lesions=160, shares=EVEN, images=2)


@pytest.fixture(scope="module")
def found(plain) -> pd.DataFrame:
    """The table with picture and mask of each row."""
    rows = table(plain)
    rows["pixels"] = [picture(plain, name) for name in rows["image"]]
    rows["regions"] = [picture(plain, name) for name in rows["mask"]]
    return rows


@pytest.fixture(scope="module")
def cued(folder):
    return {cue: make_skin(folder / cue, lesions=60, images=1, cue=cue) for cue in CUES}


def table(family) -> pd.DataFrame:
    return pd.read_csv(family / "metadata.csv", keep_default_na=False)


def picture(family, name) -> np.ndarray:
    return np.asarray(Image.open(family / name)).astype(int)


def lesion_of(regions: np.ndarray) -> np.ndarray:
    return np.isin(regions, (VALUE["lesion"], VALUE["structure"]))


def test_it_is_a_sound_data_set_of_lesions_with_one_to_two_pictures(plain, found):
    dataset = load_dataset(plain)
    assert dataset.classes == list(CLASSES)
    sizes = found.groupby("group").size()
    assert len(sizes) == 160 and set(sizes) == {1, 2} and 0.3 < (sizes == 2).mean() < 0.7
    assert (found.groupby("group")[["label", "tone", "border_irregularity"]].nunique() == 1).all(axis=None)
    assert found.groupby("label")["group"].nunique().to_dict() == dict.fromkeys(CLASSES, 20)
    assert found["pixels"][0].shape == (128, 128, 3)
    by_group(dataset, folds=7).check(dataset, near_duplicates=False)


def test_counts_by_hand():
    """The source's shares of 1,000; of 60, five classes are lifted to 7 and the three largest give what that takes."""
    assert sum(SHARES.values()) == pytest.approx(1)
    assert class_counts(1000, SHARES) == {name: round(1000 * share) for name, share in SHARES.items()}
    few = class_counts(60, SHARES)
    assert sum(few.values()) == 60 and min(few.values()) == LEAST
    assert few["NV"] + few["MEL"] + few["BCC"] == 25
    assert class_counts(300, SHARES)["NV"] == 152 - 8  # lifted or rounded up: DF by 4.3, VASC 4, SCC 0.5, others 0
    assert class_counts(20, {"MEL": 1, "NV": 3, "DF": 0}) == {"MEL": 7, "NV": 13}


def test_masks_and_attributes_say_what_is_seen(found):
    for row in found.itertuples():
        lesion = row.regions == VALUE["lesion"]
        y, x = np.nonzero(lesion)
        assert float(row.area) == pytest.approx(lesion.mean(), abs=1e-4)
        assert float(row.centroid_x) == pytest.approx((x.mean() + 0.5) / 128, abs=1e-3)
        assert float(row.centroid_y) == pytest.approx((y.mean() + 0.5) / 128, abs=1e-3)
        assert float(row.darkness) == pytest.approx(1 - row.pixels[lesion].max(-1).mean() / 255, abs=1e-3)
        there = set(row.artefacts.split(";")) - {""}
        assert {REGIONS[str(v)] for v in np.unique(row.regions) if v > 1} <= there
        assert "structure" not in there and set(row.colours.split(";")) - {""} <= set(COLOURS)


def test_a_lesion_is_complete_below_hair_and_hidden_by_a_disc_and_the_frame(found):
    """Its pixels hold no hole: every component of what is not lesion reaches the picture's edge."""
    crossed = found[found["artefacts"].str.contains("hair") & ~found["artefacts"].str.contains("disc")]
    assert len(crossed) > 30
    for regions in crossed["regions"]:
        outside = np.pad((regions != VALUE["lesion"]).astype(np.uint8), 1, constant_values=1)
        parts, which = cv2.connectedComponents(outside, connectivity=4)
        large = [p for p in range(1, parts) if (which == p).sum() > 3]
        assert len(large) == 1
    framed = found[found["artefacts"].str.contains("vignette")]
    assert all(r[0, 0] == r[-1, -1] == VALUE["vignette"] for r in framed["regions"]) and len(framed) > 10


def test_classes_differ_in_colour_as_the_books_say(found):
    """Medians of what lies in the outline over the skin beside it: VASC is red, MEL and NV are dark, veils blue."""
    kinds: dict[str, list] = {name: [] for name in CLASSES}
    for row in found.itertuples():
        lesion = row.regions == VALUE["lesion"]
        skin_beside = np.median(row.pixels[row.regions == 0], axis=0) + 1
        inner = cv2.erode(lesion.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        ratio = np.maximum(row.pixels[inner if inner.any() else lesion], 1) / skin_beside
        blue_red = np.percentile(ratio[:, 2] / ratio[:, 0], 95)
        kinds[row.label].append([np.median(ratio.max(-1)), np.median(ratio[:, 0] / ratio[:, 1]), blue_red])
    bright, red, blue = (
        pd.Series({k: np.median([v[i] for v in found]) for k, found in kinds.items()}) for i in range(3)
    )
    assert red.idxmax() == "VASC" and set(bright.nsmallest(2).index) == {"MEL", "NV"}
    assert blue.drop(["BCC", "VASC"]).idxmax() == "MEL"
    area = found.assign(area=found["area"].astype(float)).groupby("label")["area"].median()
    assert area.idxmin() == "VASC" and set(area.nlargest(2).index) == {"AK", "SCC"}


def test_a_scar_is_brighter_than_the_ring_around_it(found):
    some = found[(found["label"] == "DF") & found["structures"].str.contains("scar")]
    brighter = []
    for row in some.itertuples():
        depth = cv2.distanceTransform((row.regions == 1).astype(np.uint8), cv2.DIST_L2, 5)
        value = row.pixels.max(-1)
        brighter.append(
            value[depth > 0.7 * depth.max()].mean() - value[(depth > 0) & (depth < 0.6 * depth.max())].mean()
        )
    assert len(some) > 15 and np.mean(np.array(brighter) > 0) > 0.8


def test_skin_is_the_darker_the_higher_its_type_whatever_the_class(found):
    level = found.assign(
        v=[np.median(p[r == 0].sum(-1)) for p, r in zip(found["pixels"], found["regions"], strict=True)]
    )
    medians = level.groupby("tone")["v"].median()
    assert medians.is_monotonic_decreasing and list(medians.index) == list(TONES)
    cases = plan(3000, Recipe(0, 128, "kind", None, CLASSES), shares=EVEN)
    for label in CLASSES:
        tones = pd.Series([c.tone for c in cases if c.label == label]).value_counts(normalize=True)
        assert all(tones[name] == pytest.approx(share, abs=0.08) for name, (_, share) in TONES.items())


def test_artefacts_and_pictures_do_not_know_the_class(folder):
    """Of 600 pictures: hair in 0.35 of either class, standard error 0.03."""
    rows = table(make_skin(folder / "many", lesions=400, trait="plain", size=48))
    for label in ("MEL", "NV"):
        some = rows[rows["label"] == label]
        assert some["artefacts"].str.contains("hair").mean() == pytest.approx(0.35, abs=0.09)
        assert some.groupby("group").size().mean() == pytest.approx(1.5, abs=0.12)


def plan(lesions, recipe, **asked):
    return plan_cases(lesions, recipe, **({"shares": {"MEL": 1, "NV": 1}} | asked))


@pytest.mark.parametrize("cue", CUES)
def test_a_cue_goes_with_the_class_and_changes_the_picture_only_where_it_lies(cued, folder, cue):
    rows = table(cued[cue])
    assert ((rows["cue_present"] == 1) == (rows["label"] == "MEL")).all() and set(rows["label_from"]) == {cue}
    turned = make_skin(folder / f"{cue}_turned", lesions=60, images=1, cue=cue, mode="reversed")
    other = table(turned)
    assert ((other["cue_present"] == 0) == (other["label"] == "MEL")).all()
    same = ["label", "look", "tone", "border_irregularity", "asymmetry", "structures"]
    pd.testing.assert_frame_equal(rows[same], other[same])
    for i in range(len(rows)):
        mark = picture(cued[cue], rows["cue_mask"][i]) == 1
        assert mark.any() == bool(rows["cue_present"][i])
        if not mark.any() or cue == "size":
            continue
        change = np.abs(picture(cued[cue], rows["image"][i]) - picture(turned, other["image"][i])).max(-1)
        assert change[~mark].max() == 0 and (change[mark] > 0).mean() > 0.6 and mark.sum() >= 40
        regions = picture(cued[cue], rows["mask"][i])
        assert (mark[regions == VALUE[cue]]).all()
        assert (lesion_of(regions) == lesion_of(picture(turned, other["mask"][i]))).all()


def test_where_size_is_the_cue_areas_are_apart_and_the_mask_is_the_lesion(cued):
    rows = table(cued["size"])
    whole = rows[~rows["artefacts"].str.contains("disc|vignette")]
    large, small = (whole.loc[whole["cue_present"] == k, "area"].astype(float) for k in (1, 0))
    assert large.min() > small.max() and len(large) > 15 < len(small)
    for row in rows[rows["cue_present"] == 1].itertuples():
        mark = picture(cued["size"], row.cue_mask) == 1
        np.testing.assert_array_equal(mark, picture(cued["size"], row.mask) == VALUE["lesion"])


def test_a_cue_of_a_strength_agrees_as_often():
    recipe = Recipe(0, 128, "none", "ruler", ("MEL", "NV"))
    for mode, share in (("planted", 0.8), ("dissociated", 0.5), ("reversed", 0.2)):
        cases = plan(2000, recipe, strength=0.8, mode=mode)
        assert np.mean([c.cue == (c.label == "MEL") for c in cases]) == pytest.approx(share, abs=0.035)


def test_where_only_a_cue_tells_the_look_does_not():
    cases = plan(400, Recipe(0, 128, "none", "ruler", ("MEL", "NV")))
    crossed = pd.crosstab([c.label for c in cases], [c.kind for c in cases])
    assert crossed.to_numpy().tolist() == [[100, 100], [100, 100]]


def test_of_either_cue_one_suffices():
    cases = plan(300, Recipe(0, 128, "plain", "either", ("MEL", "NV")), shares={"MEL": 0.3, "NV": 0.7})
    kinds = pd.Series([(c.trait, c.cue) for c in cases if c.label == "MEL"]).value_counts()
    assert kinds.to_dict() == {(True, False): 30, (False, True): 30, (True, True): 30}
    assert not any(c.trait or c.cue for c in cases if c.label == "NV")
    assert all((c.kind == "MEL") == c.trait for c in cases)


def test_where_one_structure_tells_it_is_a_region_of_every_positive_and_of_no_other(folder):
    """It is bluer than the rest of its lesion; all look like NV."""
    family = make_skin(folder / "local", lesions=30, trait="local", images=1)
    rows = table(family)
    assert set(rows["look"]) == {"NV"} and set(rows["label_from"]) == {"structure"}
    for row in rows.itertuples():
        regions, pixels = picture(family, row.mask), picture(family, row.image)
        where = regions == VALUE["structure"]
        assert where.any() == (row.label == "MEL") == ("veil" in row.structures) == bool(row.trait_present)
        assert float(row.area) == pytest.approx(lesion_of(regions).mean(), abs=1e-4)
        if where.any():
            tint = [np.median(pixels[m][:, 2] - pixels[m][:, 0]) for m in (where, regions == VALUE["lesion"])]
            assert tint[0] > tint[1] and where.sum() > 20


def test_another_class_may_be_the_positive_one(folder):
    rows = table(make_skin(folder / "vascular", lesions=20, trait="plain", positive="VASC", size=64))
    assert set(rows["label"]) == {"VASC", "NV"} and (rows["look"] == rows["label"]).all()


def test_several_lesions_a_picture_are_as_many_components(folder):
    family = make_skin(folder / "several", lesions=56, count=(1, 2, 3, 4), shares=EVEN, images=1)
    rows = table(family)
    assert rows["lesions"].value_counts().to_dict() == {n: 14 for n in (1, 2, 3, 4)}
    clear = rows[~rows["artefacts"].str.contains("disc|vignette")]
    for row in clear.itertuples():
        mask = (picture(family, row.mask) == VALUE["lesion"]).astype(np.uint8)
        assert cv2.connectedComponents(mask)[0] - 1 == row.lesions


def test_pictures_of_a_lesion_show_one_anatomy_in_several_views(found):
    pairs = found[~found["artefacts"].str.contains("disc|vignette")].groupby("group").filter(lambda g: len(g) == 2)
    for _, pair in pairs.groupby("group"):
        one, two = pair.to_dict("records")
        assert one["structures"] == two["structures"] and one["asymmetry"] == two["asymmetry"]
        assert np.abs(one["pixels"] - two["pixels"]).mean() > 2
        if float(one["area"]) < 0.3:
            assert 0.65 < float(one["area"]) / float(two["area"]) < 1.55  # (1.1 / 0.9) squared is 1.49


def test_the_same_arguments_give_the_same_bytes_by_any_number_of_processes(folder):
    asked = dict(lesions=16, seed=5, cue="either", size=64, images=3, count=(1, 3))
    first, second = make_skin(folder / "one", **asked), make_skin(folder / "two", **asked, processes=2)
    names = sorted(p.relative_to(first) for p in first.rglob("*.png"))
    assert len(names) >= 48 and all((first / n).read_bytes() == (second / n).read_bytes() for n in names)
    assert (first / "metadata.csv").read_bytes() == (second / "metadata.csv").read_bytes()
    other = make_skin(folder / "other", **(asked | {"seed": 6}))
    one = "images/L00001_01.png"
    assert (first / one).read_bytes() != (other / one).read_bytes()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cue": "rulers"}, "nearest: 'ruler'"),
        ({"trait": "plane"}, "nearest: 'plain'"),
        ({"trait": "none"}, "nothing in the pictures"),
        ({"trait": "none", "cue": "either"}, "leave trait out"),
        ({"positive": "NV"}, "positive 'NV' is unknown"),
        ({"shares": {"MELA": 1}}, "nearest: 'MEL'"),
        ({"shares": {"MEL": -1, "NV": 1}}, "at least 0"),
        ({"shares": {"MEL": 1}}, "two classes at least"),
        ({"cue": "ruler", "shares": {"BCC": 1, "NV": 1}}, "shares 'BCC' is unknown"),
        ({"lesions": 55}, "at least 56"),
        ({"lesions": 13, "cue": "ruler"}, "at least 14"),
        ({"count": (5,)}, "from 1 to 4"),
        ({"count": ()}, "one or more"),
        ({"images": 0}, "at least 1"),
        ({"size": 32}, "at least 48"),
        ({"cue": "ink", "strength": 1.2}, "outside 0..1"),
        ({"cue": "ink", "mode": "mixed"}, "mode 'mixed'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_and_leave_nothing(tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        make_skin(tmp_path / "x", **({"lesions": 60} | wrong))
    assert not list(tmp_path.iterdir())


def test_a_failure_midway_leaves_nothing(tmp_path, monkeypatch):
    drawn = skin.draw_anatomy

    def fails(case, recipe):
        if case.number == 2:
            raise RuntimeError("no light")
        return drawn(case, recipe)

    monkeypatch.setattr(skin, "draw_anatomy", fails)
    with pytest.raises(RuntimeError, match="no light"):
        make_skin(tmp_path / "x", lesions=14, trait="plain", size=48)
    assert not list(tmp_path.iterdir())
