"""The table of wording: what is shipped is whole, a translation replaces it, every fault is named with file and key."""

from __future__ import annotations

import pytest

from studylib.study.region_attributes import COLOURS
from studylib.study.wording import SHIPPED, WordingError, load_wording


def changed(tmp_path, *swaps):
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in swaps:
        assert text.count(old) >= 1
        text = text.replace(old, new, 1)
    path = tmp_path / "deutsch.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_shipped_has_a_phrase_for_every_colour_and_a_reference_for_every_class():
    wording = load_wording()
    assert tuple(wording.phrases["colour"]) == COLOURS
    assert {"MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "AKIEC", "SK"} == set(wording.known)
    assert all(any(ch.isdigit() for ch in entry["reference"]) for entry in wording.known.values())
    assert wording.say("warning", "tiny", pixels=3).startswith("the region has only 3 pixels")
    assert wording.contradicted(source=True) == {"NV": {"shape": ["elongated"]}}
    assert not any(wording.contradicted().values())  # ours are hedged


def test_a_translation_replaces_it_and_classes_are_free(tmp_path):
    path = changed(tmp_path, ('small = "small"', 'small = "klein"'), ("[class.NV]", "[class.grade_2]"))
    wording = load_wording(path)
    assert wording.say("size", "small") == "klein" and "grade_2" in wording.known and "NV" not in wording.known


@pytest.mark.parametrize(
    ("swap", "said"),
    [
        (('small = "small"\n', ""), r"deutsch.toml: \[size\] small is missing; it stands for 'small'"),
        (("small =", "smal ="), r"unknown key \[size\] smal; did you mean 'small'"),
        (("[size]", "[sizes]"), r"unknown table \[sizes\]; did you mean 'size'"),
        (('small = "small"', "small = 3"), r"\[size\] small is 3, expected a text"),
        (('small = "small"', 'small = " "'), r"\[size\] small is ' ', expected a text"),
        (("{share:.0f}%", "some"), r"\[warning\] off_lesion has the names none, expected \{share\}"),
        (("{why}", "{because}"), r"has the names \{because\}, expected \{why\}"),
        (("{why}", "{why"), r"\[sentence\] nothing = .* is no template"),
        (("{share:.0f}", "{share:.0q}"), r"off_lesion = .* is no template"),
        (('reference = "Tschandl', 'ref = "Tschandl'), r"\[class.NV\] has no reference"),
        (('shape = ["elongated"]', 'shape = ["oblong"]'), r"shape = 'oblong', which is no word of \[shape\]"),
    ],
)
def test_every_fault_is_named(tmp_path, swap, said):
    with pytest.raises(WordingError, match=said):
        load_wording(changed(tmp_path, swap))


def test_all_faults_at_once_and_what_is_no_table(tmp_path):
    with pytest.raises(WordingError) as error:
        load_wording(changed(tmp_path, ('small = "small"\n', ""), ('round = "round"\n', "")))
    assert len(str(error.value).splitlines()) == 2
    (tmp_path / "broken.toml").write_text("[size", encoding="utf-8")
    with pytest.raises(WordingError, match="broken.toml: cannot be read"):
        load_wording(tmp_path / "broken.toml")
    with pytest.raises(WordingError, match="none.toml: cannot be read"):
        load_wording(tmp_path / "none.toml")
