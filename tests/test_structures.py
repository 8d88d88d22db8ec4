"""What lies in a skin lesion: outlines as planted, marks inside them, what structures do to pigments and veils."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from studylib.data.phantoms.dermoscopy.kinds import KINDS, LARGEST, SMALLEST, draw_lesion, with_veil, without_veil
from studylib.data.phantoms.dermoscopy.looks import BLOOD, MELANIN, TONES, Layers, Skin, colours_of, layers_of, paint
from studylib.data.phantoms.dermoscopy.scene import View, draw_view, lay_out, place
from studylib.data.phantoms.dermoscopy.structures import STRUCTURES, reach, stamp

SIZE = 192
EVEN = Skin("II", (0.0, 0.0, 0.0), 0.0, 0.0, 1)


def plain(kind="NV", seed=0, area=(0.2, 0.01), **changes):
    """A lesion of even pigment without structures."""
    lesion = draw_lesion(kind, np.random.default_rng(seed), area)
    calm = dict(melanin=0.8, blood=0.2, keratin=0.0, patches=0.0, asymmetry=0.0, soft=0.1, structures={})
    return replace(lesion, **(calm | changes))


def seen(lesion, view=None, size=SIZE):
    return lay_out([(lesion, (0.0, 0.0))], 1, view or View(0, 0, 0, 1), size)


def with_structure(name, **changes):
    lesion = plain(**changes)
    return replace(lesion, structures={name: STRUCTURES[name](lesion, np.random.default_rng(3))})


@pytest.mark.parametrize("kind", KINDS)
def test_areas_follow_the_quartiles_of_their_class(kind):
    """400 draws: the median's standard error is 1.25 sigma / 20, at most 6 %; quartiles lie 0.674 sigma away."""
    rng = np.random.default_rng(1)
    areas = [draw_lesion(kind, rng).area for _ in range(400)]
    median, sigma = KINDS[kind].area
    low, middle, high = np.log(np.quantile(areas, (0.25, 0.5, 0.75)))
    assert np.exp(middle) == pytest.approx(min(median, LARGEST), rel=0.15)
    assert middle - low == pytest.approx(0.674 * sigma, abs=0.16)
    assert SMALLEST - 1e-9 <= min(areas) and max(areas) <= LARGEST + 1e-9 and high > middle


@pytest.mark.parametrize("seed", range(6))
def test_the_mask_has_the_area_and_the_border_that_were_planted(seed):
    """The border's pixels, turned back and made round again, deviate from a circle as `irregularity` says."""
    lesion = draw_lesion("MEL", np.random.default_rng(seed), (0.15, 0.05))
    layout = seen(lesion, View(0, 0, 0.4, 1), 400)
    assert layout.lesion.mean() == pytest.approx(lesion.area, rel=0.01)
    (line,), _ = cv2.findContours(layout.lesion.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = (line[:, 0] - 199.5) / (400 * lesion.radius)
    c, s, root = np.cos(lesion.turn + 0.4), np.sin(lesion.turn + 0.4), np.sqrt(lesion.stretch)
    along, across = (points @ [c, s]) / root, (points @ [-s, c]) * root
    radius, angle = np.hypot(along, across), np.arctan2(across, along)
    order = np.argsort(angle)
    even = np.interp(np.linspace(-3.1, 3.1, 400), angle[order], radius[order])
    assert even.mean() == pytest.approx(1, abs=0.02)
    assert even.std() == pytest.approx(lesion.irregularity, rel=0.12)


def test_nearer_is_larger_and_a_view_shows_the_same_anatomy():
    lesion = draw_lesion("MEL", np.random.default_rng(2), (0.12, 0.05))
    far, near = (seen(lesion, View(0, 0, 0, z)) for z in (1.0, 1.1))
    assert near.lesion.sum() / far.lesion.sum() == pytest.approx(1.21, abs=0.02)
    quarter = seen(lesion, View(0, 0, np.pi / 2, 1))
    upright = layers_of(far).melanin
    turned = np.rot90(layers_of(quarter).melanin, 1)  # a clockwise view turned back
    assert np.corrcoef(upright.ravel(), turned.ravel())[0, 1] > 0.98
    moved = seen(lesion, View(0.1, -0.05, 0, 1)).lesion
    rows, columns = np.nonzero(moved)
    first = np.nonzero(far.lesion)
    assert columns.mean() - first[1].mean() == pytest.approx(0.1 * SIZE, abs=0.5)
    assert rows.mean() - first[0].mean() == pytest.approx(-0.05 * SIZE, abs=0.5)


def test_small_lesions_stay_in_the_picture():
    for seed in range(200):
        view = draw_view(0.2, np.random.default_rng(seed))
        assert max(abs(view.x), abs(view.y)) + 0.2 * view.near < 0.5


@pytest.mark.parametrize("number", [2, 3, 4])
def test_several_lesions_are_apart_and_each_is_one_component(number):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        placed = place([draw_lesion("AK", rng) for _ in range(number)], rng)
        mask = lay_out(placed, 1, View(0, 0, float(rng.uniform(0, 6)), 1.1), 128).lesion
        assert cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] - 1 == number


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_painted_outside_of_the_lesion(kind):
    for seed in range(10):
        layout = seen(draw_lesion(kind, np.random.default_rng(seed)), View(0.05, 0, seed, 1))
        layers, outside = layers_of(layout), ~layout.lesion
        assert all(layer[outside].max(initial=0) == 0 and layer.min() >= 0 for layer in vars(layers).values())
        free = paint(Layers(*(np.zeros_like(layers.melanin) for _ in range(5))), EVEN, layout.skin)
        change = np.abs(paint(layers, EVEN, layout.skin) - free).max(-1)
        assert change[outside].max(initial=0) == 0 and (change[layout.lesion] > 0.01).mean() > 0.7


def test_marks_lie_inside_the_outline():
    lesion = plain("MEL")
    for name, draw in STRUCTURES.items():
        marks = draw(lesion, np.random.default_rng(0))
        at = marks.ellipses[:, :2]
        limit = reach(lesion, np.arctan2(at[:, 1], at[:, 0])) if len(at) else np.array([1.0])
        assert (np.hypot(*at.T) < limit).all() if len(at) else True, name
        assert len(at) or marks.lines or marks.amount > 0


def test_a_stamp_covers_as_much_as_its_ellipse():
    cover = stamp(np.array([[0.0, 0.0, 0.5, 0.25, 0.3]]), (), lambda p: (p * 60 + 64, 0.0), 60, (128, 128), 0)
    assert cover.sum() == pytest.approx(np.pi * 30 * 15, rel=0.08)  # OpenCV adds half a pixel all around: 5 %
    # A line of one length less than another: its ends aside, its width, to which OpenCV adds up to two pixels
    long, short = (
        stamp(np.zeros((0, 5)), ((np.array([[-x, 0], [x, 0]]), 0.1),), lambda p: (p * 60 + 64, 0.0), 60, (128, 128), 0)
        for x in (0.5, 0.25)
    )
    assert 6 <= (long.sum() - short.sum()) / 30 <= 8


# structure -> (layer, whether it adds where its marks are)
EFFECTS = {
    "globules": ("melanin", 1), "openings": ("melanin", 1), "streaks": ("melanin", 1), "leaves": ("blue", 1),
    "nests": ("blue", 1), "lacunae": ("blood", 1), "veil": ("blue", 1), "regression": ("melanin", -1),
    "vessels": ("blood", 1), "dots": ("blood", 1), "ulcer": ("blood", 1), "scar": ("white", 1), "cysts": ("white", 1),
    "follicles": ("white", 1), "keratin": ("keratin", 1), "scale": ("keratin", 1), "network": ("melanin", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_changes_its_layer_where_its_marks_are(name):
    layer, sign = EFFECTS[name]
    lesion = with_structure(name, blood=1.0 if name == "lacunae" else 0.2)
    bare, full = (layers_of(seen(x)) for x in (replace(lesion, structures={}), lesion))
    change = sign * (getattr(full, layer) - getattr(bare, layer))
    if name == "network":
        assert (change > 0.05).mean() > 0.03 and change.min() >= 0
        return
    patch, marks = seen(lesion).patches[0], lesion.structures[name]
    cover = stamp(marks.ellipses, marks.lines, patch.to_pixels, patch.scale, (SIZE, SIZE), 0)
    inside = (cover > 0.5) & (patch.way < 0.9)
    assert change[inside].mean() > 0.1
    far = cv2.dilate((cover > 0).astype(np.uint8), np.ones((25, 25), np.uint8)) == 0
    if name != "lacunae":  # between lakes the blood gives way
        assert np.abs(change[far]).max(initial=0) < 0.02


def test_pigment_absorbs_as_its_spectrum_says():
    """Without texture and veils: the logarithm of light lost, blue over red, is the ratio of absorptions."""
    zero = np.zeros((4, 4), np.float32)
    still = (zero, zero, zero)
    skin = np.float32(TONES["II"][0])
    for name, spectrum in (("melanin", MELANIN), ("blood", BLOOD)):
        layers = replace(Layers(zero, zero, zero, zero, zero), **{name: zero + np.float32(0.7)})
        np.testing.assert_allclose(-np.log(paint(layers, EVEN, still)[0, 0] / skin), 0.7 * spectrum, rtol=1e-4)


def test_asymmetry_darkens_one_half():
    def halves(asymmetry):
        lesion = plain("NV", asymmetry=asymmetry, heavy=0.0)
        layout = seen(lesion)
        melanin, right = layers_of(layout).melanin, layout.patches[0].u > 0
        return melanin[right & layout.lesion].mean() / melanin[~right & layout.lesion].mean()

    assert halves(0.0) == pytest.approx(1, abs=0.1)
    assert 1.2 < halves(0.4) < halves(0.9)


@pytest.mark.parametrize(
    ("changes", "colours"),
    [
        ({"melanin": 0.6, "blood": 0.0}, ("light brown",)),
        ({"melanin": 1.5, "blood": 0.0, "soft": 0.01}, ("dark brown",)),
        ({"melanin": 3.5, "blood": 0.0, "soft": 0.01}, ("black",)),
        ({"melanin": 0.0, "blood": 1.5, "soft": 0.01}, ("red",)),
        ({"melanin": 0.0, "blood": 0.35}, ("pink",)),
        ({"melanin": 0.0, "blood": 0.0, "keratin": 0.9}, ("yellow",)),
    ],
)
def test_colours_are_those_that_were_planted(changes, colours):
    layout = seen(plain(**changes))
    assert colours_of(layers_of(layout), layout.lesion) == colours
    assert set(colours_of(layers_of(seen(with_structure("veil", **changes))), layout.lesion)) >= {"blue-grey"}


def test_a_veil_can_be_all_that_differs():
    lesion = draw_lesion("NV", np.random.default_rng(1))
    veiled = with_veil(lesion, np.random.default_rng(0))
    assert set(veiled.structures) - set(lesion.structures) == {"veil"}
    assert without_veil(veiled).structures == without_veil(lesion).structures
    one, other = (paint(layers_of(seen(x)), EVEN, seen(x).skin) for x in (veiled, lesion))
    where = layers_of(seen(veiled)).blue > 0
    np.testing.assert_array_equal(one[~where], other[~where])
    assert (one - other)[where][:, 2].max() > 0.1  # bluer


def test_every_structure_of_a_kind_is_known_and_comes_as_often_as_it_says():
    for kind, shared in KINDS.items():
        assert set(shared.structures) <= set(STRUCTURES) and sum(b[0] for b in shared.bodies) == pytest.approx(1)
        rng = np.random.default_rng(5)
        drawn = [draw_lesion(kind, rng).structures for _ in range(300)]
        for name in STRUCTURES:
            share = np.mean([name in one for one in drawn])
            assert share == pytest.approx(shared.structures.get(name, 0), abs=0.09), (kind, name)
