"""Mistakes of other libraries' measures, one test each: what they get wrong, and the right value by hand.

The code at the head of a docstring numbers the mistake; what the other library does is written out in the test where it
fits on a line. T: torchcam 0.5.0, P: pytorch-grad-cam 1.5.7, Q: Quantus 0.6.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity
from torch import nn

from studylib.metrics import concentration, localisation, stability
from studylib.metrics import faithfulness as faith
from studylib.metrics.maps import reasons
from studylib.metrics.sanity import randomised, similarity


def corner(n=1, side=4) -> np.ndarray:
    """Return masks with an object of four pixels in the upper left corner."""
    masks = np.zeros((n, side, side), bool)
    masks[:, :2, :2] = True
    return masks


def brightness(images):
    return images.mean((1, 2, 3))


# torchcam


def test_deletion_follows_the_map_it_is_given_not_one_it_makes_of_the_softmax():
    """T7: with logits_fn=softmax the metric explains the softmax output, another map than the one the user gets."""
    weight = torch.tensor([[2.0, 1.0, 0.0, 0.0], [0.0, 3.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    pixels = torch.ones(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)

    def score(images):
        return (images.flatten(1) @ weight.T).softmax(1)[:, 0]

    of_logit = torch.autograd.grad((pixels.flatten(1) @ weight.T)[0, 0], pixels)[0][0]
    of_softmax = torch.autograd.grad(score(pixels)[0], pixels)[0][0]
    assert of_logit.flatten().tolist() == [2, 1, 0, 0] and int(of_softmax.argmin()) == 1  # they disagree about pixel 1
    curve = faith.deletion(score, pixels, of_logit, baseline="zero", blocks=None, steps=4, rng=0)
    # logits (3, 3, 2) of the whole, (1, 3, 1) without pixel 0, (0, 0, 1) without 1, (0, 0, 0) without any
    by_hand = [1 / (2 + math.exp(-1)), 1 / (2 + math.exp(2)), 1 / (2 + math.e)]
    assert curve.scores[0, :3] == pytest.approx(by_hand) and curve.scores[0, 4] == pytest.approx(1 / 3)
    other = faith.deletion(score, pixels, of_softmax, baseline="zero", blocks=None, steps=4)
    assert abs(other.area[0] - curve.area[0]) > 0.04


def test_average_drop_refuses_logits_whose_sign_would_turn_it_round():
    """T8: dividing by a negative score turns a drop into a rise."""
    before, after = np.array([-2.0, 3.0]), np.array([-3.0, 1.0])
    theirs = np.maximum(before - after, 0) / before
    assert theirs[0] < 0  # a fall from -2 to -3 counts as a gain
    with pytest.raises(ValueError, match="before lies in -2 to 3; expected probabilities, not logits"):
        faith.average_drop(before, after)
    assert faith.average_drop([0.8, 0.5], [0.2, 0.6]).tolist() == pytest.approx([0.75, 0.0])


def test_a_flat_positive_map_masks_nothing_and_is_undefined_not_zero():
    """T9: min-max makes a flat map all zero: the image is blacked out and the drop is complete."""
    images, flat = torch.full((2, 1, 4, 4), 0.5), np.full((2, 4, 4), 3.0)
    flat[1, 0, 0] = 6.0
    blacked_out = (flat - flat.min((1, 2), keepdims=True))[0]
    assert not blacked_out.any()
    masked = faith.multiplied(images, flat)
    assert torch.isnan(masked[0]).all() and masked[1, 0, 0, :2].tolist() == [0.5, 0.25]
    drop = faith.average_drop([0.9, 0.9], [math.nan, 0.3])
    assert math.isnan(drop[0]) and drop[1] == pytest.approx(2 / 3)
    assert np.isnan(faith.deletion(brightness, images, flat).area).tolist() == [True, False]
    assert reasons(flat) == ["flat map", None]


# pytorch-grad-cam


@pytest.mark.parametrize(("sign", "share", "theirs"), [(1, 0.8, 1.0), (-1, 0.2, 0.9)])
def test_ties_do_not_remove_more_than_was_asked_for(sign, share, theirs):
    """P11: a percentile as threshold takes all ties: of a map that is 90 % zero, 80 % wanted are 100 % removed, 20 %
    from the lower end (sign -1) are 90 %; a flat map removes everything.
    """
    maps = np.zeros((1, 10, 10))
    maps[0, 3] = np.arange(1.0, 11)
    maps *= sign
    kept = maps < np.percentile(maps, 100 * (1 - share))
    assert 1 - kept.mean() == pytest.approx(theirs)
    curve = faith.deletion(brightness, torch.ones(1, 1, 10, 10), maps, baseline="zero", blocks=None, steps=10)
    at = round(10 * share)
    assert curve.shares[at] == pytest.approx(share) and curve.scores[0, at] == pytest.approx(1 - share)
    flat = faith.deletion(brightness, torch.ones(1, 1, 10, 10), maps * 0, baseline="zero", blocks=None, steps=10)
    assert np.isnan(flat.scores).all()


def test_the_average_drop_is_relative_as_in_the_paper():
    """P12: DropInConfidence is the absolute difference."""
    before, after = np.array([0.2, 0.9]), np.array([0.1, 0.8])
    assert before - after == pytest.approx([0.1, 0.1])  # the same for a halved and a scarcely changed probability
    assert faith.average_drop(before, after) == pytest.approx([0.5, 1 / 9])


# Quantus


def test_an_empty_mask_is_no_hit():
    """Q1: NaN written into a bool array becomes True, so that an empty mask is a hit."""
    hits = np.zeros(1, bool)
    hits[0] = math.nan
    assert hits[0]
    maps = np.arange(32.0).reshape(2, 4, 4)
    masks = corner(2)
    masks[0], masks[1] = False, masks[1, ::-1, ::-1]
    value = localisation.pointing_game(maps, masks)
    assert math.isnan(value[0]) and value[1] == 1 and reasons(maps, masks)[0] == "empty mask"


def test_a_flat_map_and_a_nan_map_are_neither_hit_nor_miss():
    """Q2: a flat map in the batch is a hit; a NaN map a silent miss."""
    maps = np.zeros((4, 4, 4))
    maps[1], maps[2, 3, 3], maps[3, 0, 1] = 0.7, math.nan, 1
    value = localisation.pointing_game(maps, corner(4))
    assert np.isnan(value).tolist() == [True, True, True, False] and value[3] == 1
    assert reasons(maps, corner(4)) == ["flat map", "flat map", "NaN map", None]


def test_a_hit_can_be_weighed_by_the_size_of_its_object():
    """Q3: weighted=True raises TypeError. Ours gives the chance of a hit by a random point beside the hit."""
    maps = np.zeros((2, 4, 4))
    maps[:, 0, 0] = 1
    masks = corner(2)
    masks[1, 0] = True  # four pixels and six
    hit, chance = localisation.pointing_game(maps, masks), localisation.pointing_chance(masks)
    assert hit.tolist() == [1, 1] and chance.tolist() == [4 / 16, 6 / 16]
    assert hit * (1 - chance) == pytest.approx([0.75, 0.625])


def test_the_share_of_energy_inside_does_not_depend_on_the_batch():
    """Q4: x_batch[2:].size slices the batch, not the shape: the weight is another one for every batch size."""
    rng = np.random.default_rng(0)
    maps, masks = rng.random((6, 4, 4)), corner(6)
    maps[0] = 0
    maps[0, 0, 0], maps[0, 3, 3] = 3, 1
    images = np.zeros((6, 3, 4, 4))
    assert images[2:].size != images[0, 0].size and images[:3][2:].size != images[2:].size
    together = localisation.energy_inside(maps, masks)
    assert together[0] == pytest.approx(3 / 4)
    assert together[0] / localisation.prevalence(masks)[0] == pytest.approx(3)  # weighted: over the object's share, 1/4
    for size in (1, 2, 4):
        parts = [localisation.energy_inside(maps[i : i + size], masks[i : i + size]) for i in range(0, 6, size)]
        assert np.array_equal(np.concatenate(parts), together)


class Twins(nn.Module):
    """A network with two layers of one shape, attention, and a free parameter."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.second(self.first(x).relu()) + self.token
        return self.head(self.attention(x, x, x)[0].mean(1))


@pytest.fixture
def twins() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Twins().eval()


def test_the_mean_over_randomised_layers_leaves_the_trained_network_out(twins):
    """Q5: the trained network, whose map correlates at 1 with itself, is averaged in (0.323 instead of 0.097)."""
    inputs = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))

    def maps_of(model):
        x = inputs.clone().requires_grad_()
        return torch.autograd.grad(model(x)[:, 1].sum(), x)[0].detach()

    learned = maps_of(twins)
    steps = list(randomised(twins))
    names = [name for name, _ in steps]
    assert names == ["head", "attention.out_proj", "attention", "second", "first", "(root)"]
    values = [similarity(learned, maps_of(model)).spearman.mean() for _, model in steps]
    assert max(values) < 1 - 1e-6  # none of the steps is the trained network
    with_trained = np.mean([1.0, *values])
    assert np.mean(values) == pytest.approx((with_trained * 7 - 1) / 6) and np.mean(values) < with_trained


def test_layers_of_one_shape_are_randomised_differently_and_every_parameter_is(twins):
    """Q6: each layer is seeded alike (twins get one weight), in_proj and free parameters stay, the RNG is clobbered."""
    with torch.random.fork_rng():  # what seeding anew for each layer does
        layers = [torch.manual_seed(5) and nn.Linear(8, 8) for _ in range(2)]
        assert torch.equal(layers[0].weight, layers[1].weight)
    with torch.no_grad():
        for p in twins.parameters():
            p += 0.3  # biases that start at 0 have learned something
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    before = {k: v.clone() for k, v in twins.state_dict().items()}
    end = list(randomised(twins))[-1][1]
    assert not torch.equal(end.first.weight, end.second.weight)
    for name, value in end.state_dict().items():
        assert not torch.equal(value, before[name]), name
    assert {"attention.in_proj_weight", "token"} <= set(end.state_dict())
    assert torch.equal(state, torch.get_rng_state()) and (numpy_state == np.random.get_state()[1]).all()
    assert all(torch.equal(v, before[k]) for k, v in twins.state_dict().items())


def test_ssim_of_maps_is_in_two_dimensions_with_its_data_range():
    """Q7: SSIM with MPRT crashes, and would be that of the flattened map, in one dimension."""
    a, b = np.random.default_rng(0).random((2, 12, 12))
    a[0, 0] = b[0, 0] = 0
    a[0, 1] = b[0, 1] = 1  # already scaled
    value = similarity(a[None], b[None]).ssim[0]
    assert value == pytest.approx(structural_similarity(a, b, data_range=1, win_size=7))
    assert abs(value - structural_similarity(a.ravel(), b.ravel(), data_range=1, win_size=7)) > 0.01
    both = similarity(np.stack([a.T, a]), np.stack([b.T, b])).ssim
    assert both == pytest.approx([value, value])  # transposing both changes nothing, as in two dimensions it must not


def test_a_constant_map_leaves_its_neighbours_rank_correlation_alone():
    """Q8: a constant map in a batch of two raises AttributeError."""
    maps, others = np.random.default_rng(0).random((2, 2, 6, 6))
    maps[0] = 4.0
    value = similarity(maps, others).spearman
    assert math.isnan(value[0]) and value[1] == pytest.approx(stats.spearmanr(maps[1].ravel(), others[1].ravel())[0])


def test_pixels_are_removed_with_all_their_channels_on_an_axis_from_0_to_1():
    """Q9: channels flip singly (32 features are 11 pixels), the area grows with the steps, the 0 % point is missing."""
    maps = np.arange(64.0).reshape(1, 8, 8)
    images, seen = torch.ones(1, 3, 8, 8), []

    def score(x):
        seen.append((x == 0).sum((2, 3))[0].tolist())
        return brightness(x)

    curve = faith.deletion(score, images, maps, baseline="zero", blocks=None, steps=2)
    assert seen == [[0, 0, 0], [32, 32, 32], [64, 64, 64]]
    assert curve.shares.tolist() == [0, 0.5, 1] and curve.scores[0].tolist() == [1, 0.5, 0]
    for steps in (2, 4, 7, 13, 64):  # a straight line down, whose area is a half; steps need not divide 64
        area = faith.deletion(brightness, images, maps, baseline="zero", blocks=None, steps=steps).area[0]
        assert area == pytest.approx(0.5, abs=0.005)
    heights = np.linspace(1, 0, 14)
    assert ((heights[1:] + heights[:-1]) / 2).sum() == pytest.approx(6.5)  # theirs, with a width of 1 a step


@pytest.mark.parametrize("channels", [1, 3])
def test_one_map_serves_images_of_one_and_of_three_channels(channels):
    """Q10: ROAD raises IndexError for three channels with one map, and returns 0 all the time elsewhere."""
    maps = np.arange(16.0).reshape(1, 4, 4)
    image = torch.from_numpy(maps)[:, None].repeat(1, channels, 1, 1) / 15
    out, back = faith.deletion_and_insertion(brightness, image, maps, baseline="zero", blocks=None, steps=4)
    # of 120 / 15 = 8 in sixteenths, the highest four hold 54, then 38, 22, 6 of 120
    assert out.scores[0] == pytest.approx(np.array([120, 66, 28, 6, 0]) / 240)
    assert back.scores[0] == pytest.approx(np.array([0, 54, 92, 114, 120]) / 240)


def test_a_zero_map_in_the_batch_does_not_spoil_the_others_nor_score_by_the_order_of_ties():
    """Q11: normalising by the maximum makes NaN of a zero map; then rank accuracy is 0 by tie order, pointing a hit."""
    maps = np.random.default_rng(0).random((3, 4, 4))
    maps[1] = 0
    for measure in (localisation.iou_at_matched_area, localisation.pointing_game, localisation.energy_inside):
        value = measure(maps, corner(3))
        assert np.isnan(value).tolist() == [False, True, False]
        assert np.array_equal(value[[0, 2]], measure(maps[[0, 2]], corner(2)))


def test_concentration_leaves_the_callers_map_alone():
    """Q12: sparseness adds 1e-7 to the caller's array."""
    maps = np.zeros((1, 4, 4), np.float32)
    maps[0, 0, 0] = 1
    maps.setflags(write=False)
    assert concentration.gini(maps) == pytest.approx(15 / 16)
    tensor = torch.from_numpy(maps.copy())
    before = tensor.clone()
    for measure in (concentration.gini, concentration.entropy, concentration.half_mass_area):
        measure(tensor)
        assert torch.equal(tensor, before)


def test_energy_inside_is_a_share_for_signed_maps_and_undefined_for_zero_maps():
    """Q13: a signed map has a relevance mass outside of [0, 1] (-7.2); a zero map is NaN without a reason."""
    maps = np.zeros((3, 4, 4))
    maps[0, 0, 0], maps[0, 0, 1], maps[0, 3, 3], maps[0, 3, 2] = 3, -8, 1, 2
    maps[2] -= 1
    maps[2, 0, 0] = -2
    theirs = maps[0][corner()[0]].sum() / maps[0].sum()
    assert theirs == 2.5
    value = localisation.energy_inside(maps, corner(3))
    assert value[0] == pytest.approx(3 / 6) and np.isnan(value[1:]).all()
    assert reasons(maps, corner(3)) == [None, "flat map", "all-negative map"]


def test_a_perfect_map_is_perfect_whatever_number_of_pixels_is_asked_for():
    """Q14: the top-k intersection of a perfect map is |mask| / k where k is larger than the mask."""
    perfect = corner().astype(float) + np.arange(16).reshape(1, 4, 4) * 1e-3
    assert localisation.iou_at_matched_area(perfect, corner()) == 1
    top = perfect >= np.sort(perfect.ravel())[-8]
    assert (top & corner()).sum() / 8 == 0.5  # theirs, with k = 8
    assert localisation.relative_iou(top, corner()) == 1  # as a share of what eight pixels can reach


def test_precision_recall_stands_beside_roc_and_neither_raises_for_nan_or_a_full_mask():
    """Q15: only the ROC area is there, a NaN map raises, a full mask is NaN without a reason."""
    maps = np.arange(48.0).reshape(3, 4, 4)
    maps[1, 0, 0] = math.nan
    masks = np.zeros((3, 4, 4), bool)
    masks[:, 3, 3] = masks[:, 3, 1] = True  # ranks 1 and 3 of 16
    masks[2] = True
    precision, roc = localisation.pixel_auprc(maps, masks), localisation.pixel_auroc(maps, masks)
    assert precision[0] == pytest.approx((1 + 2 / 3) / 2) and roc[0] == pytest.approx(27 / 28)
    assert np.isnan(precision[1:]).all() and np.isnan(roc[1:]).all()
    assert reasons(maps, masks) == [None, "NaN map", "full mask"]
    assert localisation.prevalence(masks)[0] == 2 / 16


def test_a_zero_map_has_no_stability_and_no_complexity_and_says_why():
    """Q16: the sensitivity and the complexity of a zero map are NaN, without a reason, and pass into the mean."""
    images = torch.rand(3, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def maps_of(x):
        maps = x[:, 0].clone()
        maps[1] = 0
        return maps

    for result in (stability.noisy(maps_of, images), stability.shifted(maps_of, images, by=1)):
        assert np.isnan(result.spearman).tolist() == [False, True, False] and (result.spearman[[0, 2]] > 0.9).all()
    assert np.isnan(concentration.entropy(maps_of(images))).tolist() == [False, True, False]
    assert reasons(maps_of(images)) == [None, "flat map", None]
