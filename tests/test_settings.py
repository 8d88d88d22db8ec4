"""Settings and parameters: every wrong key is named with the nearest right one."""

import shutil
from pathlib import Path

import pytest

from studylib.study.plan import estimate, runs_of
from studylib.study.settings import SettingsError, check_parameters, load_settings, studies

ROOT = Path(__file__).parents[1]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "claims").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / "02_brain_mri_cbam.toml", tmp_path / "notebooks")
    return tmp_path


def edit(root, old, new):
    path = root / "notebooks" / "02_brain_mri_cbam.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_every_profile_of_every_study_reads():
    for study in studies(ROOT):
        settings = load_settings(study, ROOT)
        for name, profile in settings.profiles.items():
            for data in ("phantom", "real"):
                assert runs_of(settings.arms, profile, data, 0), (study, name, data)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("warmup = 2 ", "warmpu = 2 ", "unknown setting 'warmpu'; did you mean 'warmup'"),
        ("[quick.fits]\nnone", "[quick.fits]\nnoen", "no arm is called 'noen'; did you mean 'none'"),
        ("image_size = 80 ", 'image_size = "80" ', "'image_size' is '80', expected int"),
        ("[arms.channel]", "[arm.channel]", "unknown table [arm]; did you mean 'arms'"),
        ("folds = 7 ", "#", "missing 1 required positional argument: 'folds'"),
        ('primary = "', 'primary = ', "02_brain_mri_cbam.toml"),
        ("[arms.channel]\n", "[arms.channel]\nguide = 1.0\n", "guide needs guide_regions"),
        ("[arms.channel]\n", '[arms.channel]\naugment = true\nguide = 1.0\nguide_regions = ["tumour"]\n',
         "augment moves pictures, not masks"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(root, old, new, said):
    edit(root, old, new)
    with pytest.raises(SettingsError) as error:
        load_settings("02", root)
    assert said in str(error.value)


def test_all_problems_at_once(root):
    edit(root, "warmup = 2 ", "warmpu = 2 ")
    edit(root, "[arms.channel]\n", "[arms.channel]\ncolour = 1\n")
    with pytest.raises(SettingsError) as error:
        load_settings("02", root)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [(("phantoms", "quick", 0), "did you mean 'phantom'"), (("real", "standart", 0), "did you mean 'standard'"),
     (("real", "quick", -1), "seed = -1"), (("real", "quick", "0"), "seed = '0'"), (("real", "quick", True), "seed")],
)  # fmt: skip
def test_a_misspelled_parameter_is_named(given, said):
    with pytest.raises(SettingsError, match=said):
        check_parameters(*given)


def test_an_unknown_study_is_named():
    with pytest.raises(SettingsError, match="no study is called '2'"):
        load_settings("2", ROOT)


def test_repeats_have_their_own_seed_and_fold():
    settings = load_settings("02", ROOT)
    runs = [
        r
        for r in runs_of(settings.arms, settings.profile("paper"), "real", 5)
        if (r.arm.name, r.split) == ("cam", "group")
    ]
    assert [r.seed for r in runs] == list(range(5, 19))
    assert [r.fold for r in runs] == [*range(7), *range(7)]


def test_an_arm_that_needs_phantoms_which_no_profile_draws_is_told(tmp_path):
    text = (ROOT / "notebooks/01_cervical_pap_cam.toml").read_text(encoding="utf-8")
    (tmp_path / "notebooks").mkdir()
    wrong = text.replace("[quick.variants.outside]", "[quick.variants.outsides]")
    (tmp_path / "notebooks/01_cervical_pap_cam.toml").write_text(wrong, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"\[quick.variants\]: arm 'outside' needs the phantoms 'outside'; did you"):
        load_settings("01", tmp_path)


def test_arms_of_other_data_are_left_out():
    settings = load_settings("02", ROOT)
    names = {
        data: {r.arm.name for r in runs_of(settings.arms, settings.profile("standard"), data, 0)}
        for data in ("real", "phantom")
    }
    assert "pretrained" in names["real"] - names["phantom"]
    assert "marker" in names["phantom"] - names["real"]
    assert estimate("02", "real", "standard", ROOT)["fits"] == len(
        runs_of(settings.arms, settings.profile("standard"), "real", 0)
    )
