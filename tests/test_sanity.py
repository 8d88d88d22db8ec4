"""Randomisation reaches every learned value, a generator a layer; similarities by hand, as scipy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity
from torch import nn

from studylib.metrics.sanity import random_pairs, randomised, similarity


class Net(nn.Module):
    """A network with what is easily forgotten: equal shapes, batch norm, attention, a free parameter in the root."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.bare = nn.BatchNorm2d(8, affine=False)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(), nn.Conv2d(8, 8, 3, padding=1))
        self.attention = nn.MultiheadAttention(8, 2)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.body(self.bare(self.norm(self.stem(x)))).flatten(2).permute(2, 0, 1) + self.token
        return self.head(self.attention(x, x, x)[0].mean(0))


@pytest.fixture
def trained() -> nn.Module:
    """Return a network no value of which is where it starts."""
    generator = torch.Generator().manual_seed(0)
    model = Net().eval()
    with torch.no_grad():
        for value in (*model.parameters(), *model.buffers()):
            value.copy_(torch.rand(value.shape, generator=generator) * 5 + 1)
    model.stem.requires_grad_(False)
    return model


def state(model) -> dict[str, torch.Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def changed(model, reference) -> set[str]:
    return {k for k, v in model.state_dict().items() if not torch.equal(v, reference[k])}


def test_the_cascade_ends_with_no_learned_value_left(trained):
    before = state(trained)
    steps = list(randomised(trained))
    assert changed(steps[-1][1], before) == set(before)
    last = steps[-1][1].state_dict()
    assert not any((v == before[k]).any() for k, v in last.items())  # every element, in_proj and statistics too
    assert changed(trained, before) == set()  # the model itself stays


def test_the_cascade_goes_from_head_to_stem_and_starts_after_the_first_layer(trained):
    before = state(trained)
    names, models = zip(*randomised(trained), strict=True)
    assert names[:3] == ("head", "attention.out_proj", "attention") and names[-2:] == ("stem", "(root)")
    assert changed(models[0], before) == {"head.weight", "head.bias"}  # the model as trained is no step
    for earlier, later in zip(models[:-1], models[1:], strict=True):
        assert changed(earlier, before) < changed(later, before)
    assert changed(models[-1], before) - changed(models[-2], before) == {"token"}  # the root's own, not all below it


def test_independent_steps_change_one_layer_each_with_the_values_of_the_cascade(trained):
    before, seen = state(trained), set()
    for (name, alone), (_, cascade) in zip(randomised(trained, cascade=False), randomised(trained), strict=True):
        now = changed(alone, before)
        assert now and not now & seen
        seen |= now
        assert all(torch.equal(alone.state_dict()[k], cascade.state_dict()[k]) for k in now), name
    assert seen == set(before)


def test_independent_steps_over_named_layers_leave_every_other_value_as_it_was(trained):
    before, images = state(trained), torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        said = trained(images)
        for name, alone in randomised(trained, cascade=False, layers=["head", "body", "stem"]):
            own = {k for k in before if k.split(".")[0] == name}
            assert changed(alone, before) == own
            assert not torch.allclose(alone(images), said)
            alone.get_submodule(name).load_state_dict({k.removeprefix(f"{name}."): before[k] for k in own})
            assert torch.equal(alone(images), said)  # that layer put back, the network is the trained one


def test_layers_of_one_shape_get_different_values_and_seeds_differ(trained):
    first, again, other = (dict(randomised(trained, rng=seed)) for seed in (0, 0, 1))
    end = first["stem"]
    assert not torch.equal(end.body[0].weight, end.body[2].weight)
    both = torch.stack([end.body[0].weight.flatten(), end.body[2].weight.flatten()]).detach()
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.15  # 576 values: three and a half standard errors
    assert torch.equal(end.body[0].weight, again["stem"].body[0].weight)
    assert not torch.equal(end.body[0].weight, other["stem"].body[0].weight)


def test_spread_of_kernels_and_what_layers_are_reset_to(trained):
    end = dict(randomised(trained))["(root)"].requires_grad_(False)
    assert float(end.body[0].weight.std()) == pytest.approx(
        (2 / 72) ** 0.5, rel=0.1
    )  # 576 values: 3 % a standard error
    assert float(end.attention.in_proj_weight.std()) == pytest.approx(0.5, rel=0.2)
    assert not end.head.bias.any() and not end.attention.in_proj_bias.any()
    for norm in (end.norm, end.bare):
        assert not norm.running_mean.any() and (norm.running_var == 1).all() and norm.num_batches_tracked == 0
    assert (end.norm.weight == 1).all() and not end.norm.bias.any() and (end.body[1].weight == 0.25).all()


def test_the_callers_generator_modes_and_flags_stay(trained):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    np.random.seed(7)
    numpy_before = np.random.get_state()[1].copy()
    copies = [m for _, m in randomised(trained)]
    assert torch.equal(before, torch.get_rng_state()) and (np.random.get_state()[1] == numpy_before).all()
    assert not any(m.training for m in copies)
    assert not copies[-1].stem.weight.requires_grad and copies[-1].head.weight.requires_grad


def test_what_a_reader_does_to_one_step_does_not_reach_the_next(trained):
    steps = randomised(trained)
    _, first = next(steps)
    nn.init.constant_(first.stem.weight, 99.0)
    _, second = next(steps)
    assert torch.equal(second.stem.weight, trained.stem.weight)


def test_named_layers_go_with_all_they_hold_and_a_misspelling_names_the_nearest(trained):
    before = state(trained)
    steps = list(randomised(trained, layers=["head", "body"]))
    assert [name for name, _ in steps] == ["head", "body"]
    assert {k.split(".")[0] for k in changed(steps[1][1], before)} == {"head", "body"}
    with pytest.raises(ValueError, match="no layer 'boby'.*did you mean 'body'"):
        list(randomised(trained, layers=["boby"]))


def test_random_weights_change_what_the_network_says(trained):
    images = torch.rand(4, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        said = trained(images)
        for _, model in randomised(trained):
            assert torch.isfinite(model(images)).all() and not torch.allclose(model(images), said)


def pair(n=3, side=24, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, side, side))
    return a, np.round(a + rng.normal(size=a.shape), 1)


def test_similarity_as_scipy_and_scikit_image():
    a, b = pair()
    result = similarity(a, b)
    assert result.spearman == pytest.approx(
        [stats.spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a, b, strict=True)]
    )
    scaled = [(m - m.min((1, 2), keepdims=True)) / np.ptp(m, axis=(1, 2))[:, None, None] for m in (a, b)]
    assert result.ssim == pytest.approx(
        [structural_similarity(x, y, data_range=1) for x, y in zip(*scaled, strict=True)]
    )


def test_ssim_by_its_formula_on_maps_of_one_window():
    a, b = pair(n=1, side=7)
    x, y = ((m[0] - m.min()) / np.ptp(m) for m in (a, b))
    c1, c2, cov = 0.01**2, 0.03**2, np.cov(x.ravel(), y.ravel())
    expected = (2 * x.mean() * y.mean() + c1) * (2 * cov[0, 1] + c2)
    expected /= (x.mean() ** 2 + y.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2)  # Wang 2004, eq. 13
    assert similarity(a, b).ssim == pytest.approx([expected])


def test_ssim_is_of_two_dimensions():
    # the same pixels in another order: as rows of numbers they would be alike in blocks, as images they are not
    a = np.zeros((1, 16, 16))
    a[0, :, :8] = 1
    assert similarity(a, a).ssim == pytest.approx([1])
    assert similarity(a, a.transpose(0, 2, 1)).ssim[0] < 0.6


def test_overlap_by_hand_and_with_ties():
    a = np.arange(100.0).reshape(1, 10, 10)
    b = np.roll(a.ravel(), 4).reshape(1, 10, 10)  # its ten highest are 94..99 and, wrapped round, 0..3
    assert similarity(a, b).overlap == pytest.approx([0.6])
    tied = np.zeros((1, 10, 10))
    tied[0, -1, -5:] = 2  # five sure, the others share five places: 5 + 5 * 5 / 95 of the ten of a
    assert similarity(tied, a).overlap == pytest.approx([(5 + 5 * 5 / 95) / 10])
    assert similarity(tied, tied).overlap == pytest.approx([1])
    with pytest.raises(ValueError, match="between 0 and 1; found 10"):
        similarity(a, b, top=10)


def test_identical_and_reversed_maps():
    a, _ = pair()
    same, reverse = similarity(a, a), similarity(a, -a)
    assert all(values == pytest.approx(1) for values in same)
    assert reverse.spearman == pytest.approx(-1) and reverse.overlap == pytest.approx(0)


def test_constant_and_nan_maps_are_nan_at_any_batch_size():
    a, b = pair(n=4)
    a[1], b[2, 0, 0] = 3.0, np.nan
    before = a.copy()
    for values, sound in zip(similarity(a, b), similarity(a[:1], b[:1]), strict=True):
        assert np.isnan(values).tolist() == [False, True, True, False] and values[0] == sound[0]
    assert np.array_equal(a, before)
    assert np.isnan(similarity(a[1:3], b[1:3]).spearman).all()
    with pytest.raises(ValueError, match="of the same images at one size"):
        similarity(a, b[:, :12])


def test_maps_too_small_for_a_window_have_no_ssim():
    a, b = np.random.default_rng(0).random((2, 1, 2, 2))
    assert np.isnan(similarity(a, b).ssim).all() and np.isfinite(similarity(a, b).spearman).all()


def test_random_pairs_are_of_different_images_and_follow_the_seed():
    maps = np.random.default_rng(0).random((12, 16, 16))
    maps[3] = 0  # never drawn
    result = random_pairs(maps, 0)
    assert len(result.ssim) == 50 and np.isfinite(result.spearman).all()
    assert result.spearman.max() < 0.5 and len(np.unique(result.spearman)) == 50  # 55 pairs: none twice
    assert np.array_equal(result.ssim, random_pairs(maps, 0).ssim)
    assert not np.array_equal(result.ssim, random_pairs(maps, 1).ssim)
    assert np.isnan(random_pairs(maps[3:5], 0).overlap).all()
    assert len(np.unique(random_pairs(maps[:3], 0, n=7).spearman)) == 3
    everyone = similarity(maps[[0, 0, 1]], maps[[1, 2, 2]]).spearman
    assert sorted(random_pairs(maps[:3], 0, n=3).spearman) == pytest.approx(sorted(everyone))
