"""Registries: names of networks and of importers, each unknown one with its nearest."""

import pytest

from studylib.data.dataset import DataError
from studylib.data.importers.registry import IMPORTERS, import_release
from studylib.models.registry import begins_from, learns


def test_importers_are_named_after_the_sets_of_the_catalogue():
    from studylib.data.catalogue import names

    assert set(IMPORTERS) <= set(names())
    with pytest.raises(DataError, match="did you mean 'brain_figshare'"):
        import_release("brain_figsahre", "a", "b")


def test_a_threshold_reaches_only_importers_that_take_one(tmp_path):
    with pytest.raises(DataError, match="'pap_herlev' has no masks that a threshold applies to: leave out --threshold"):
        import_release("pap_herlev", tmp_path, tmp_path / "set", threshold=127)
    with pytest.raises(DataError, match="--threshold 300: expected 0 to 254"):
        import_release("ham10000", tmp_path, tmp_path / "set", threshold=300)


def test_which_networks_segment_and_which_begin_from_a_file(monkeypatch):
    monkeypatch.delenv("STUDYLIB_WEIGHTS", raising=False)
    assert [learns(name) for name in ("unet", "detector", "staged")] == ["masks", "boxes", "labels"]
    assert begins_from("staged", {"architecture": "mobilenet_v2"}) == "" == begins_from("brain", {})
