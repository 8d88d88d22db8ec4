"""CLAIM 2024: 44 items, each answered or with a reason, and no number in an answer but from the run's records."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from string import Formatter
from types import SimpleNamespace

import pandas as pd
import pytest
from test_model_cards import GATES, MadeStudy, estimate, made_fit, made_fits

from studylib.metrics.intervals import exact
from studylib.study import claim_2024, model_cards
from studylib.study.claim_facts import facts, of_gates

ROOT = Path(__file__).resolve().parents[1]
TABLE = tomllib.loads(claim_2024.ITEMS.read_text(encoding="utf-8"))["item"]
PARTS = ["Title and abstract", "Introduction", "Methods", "Results", "Discussion", "Other information"]


@pytest.fixture(params=["phantom", "real"])
def study(request, tmp_path, monkeypatch) -> MadeStudy:
    monkeypatch.setenv("STUDYLIB_REPORTS", str(tmp_path / "reports"))
    monkeypatch.delenv("STUDYLIB_REPORT", raising=False)
    return MadeStudy(tmp_path, request.param)


@pytest.fixture
def fits():
    return made_fits(("small", "group", made_fit(3)), ("small_pad", "group", made_fit(6)))


def answers(study, fits) -> dict[int, claim_2024.Item]:
    return {
        item.number: item
        for item in claim_2024.answered(facts(study, fits, model_cards.cards(study, fits)), study.data)
    }


def test_the_items_are_the_checklist_s():
    assert [row["number"] for row in TABLE] == list(range(1, 45))
    assert list(dict.fromkeys(row["part"] for row in TABLE)) == PARTS
    # how many items the checklist has under each heading
    assert [sum(row["part"] == part for row in TABLE) for part in PARTS] == [2, 2, 30, 5, 2, 3]
    assert len({row["asks"] for row in TABLE}) == 44
    for row in TABLE:
        for told in (row | row.get("phantom", {}), row | row.get("real", {})):
            assert told["answer"].strip() and told["status"] in claim_2024.MARKS, row["number"]
        assert row["where"] and set(row["where"]) <= set(range(len(claim_2024.SECTIONS)))


def test_every_item_has_an_answer_without_a_hole(study, fits):
    study.settings = replace(study.settings, external="")
    for item in answers(study, fits).values():
        assert item.status in claim_2024.MARKS and len(item.answer) > 10, item
        assert not re.search(r"[{}]|\bnan\b|\bNone\b(?!:| for care)|\.\.(?!\.)|\b(\w+) \1\b", item.answer), item
        if item.status == "not applicable":
            assert len(item.answer.split()) > 2, f"{item.number} gives no reason"


def test_no_answer_holds_a_number_typed_by_hand():
    """What is left of a template without its {facts} and without the names of files and gates holds no number."""
    for row in TABLE:
        for told in (row, row.get("phantom", {}), row.get("real", {})):
            for text in (told.get("answer", ""), told.get("lacking", "")):
                bare = re.sub(r"\{\w+\}|[Gg]ates? \d(?:, \d)*(?: and \d)?|[Ss]ections? \d(?: and \d)?|95 %", "", text)
                assert not re.search(r"\d", bare), (row["number"], bare)


def moved(study, name, value=0.123456, low=0.1, high=0.15):
    study.metrics[name] = estimate(value, low, high)


def gates_with(study, outcome):
    rows = GATES.reset_index()
    rows.loc[rows["rule"] == "after noise", "outcome"] = outcome
    study.keep("gates_all", rows.set_index("gate"))


MUTATIONS = {  # what is changed in the records -> the items whose answers must change, and no other may
    "the primary estimate": (lambda s: moved(s, s.settings.primary), {21, 37}),
    "a headline estimate": (lambda s: moved(s, "balanced_accuracy.group.size.test"), {28, 37}),
    "one more estimate": (lambda s: moved(s, "made.up"), {28}),
    "a gate": (lambda s: gates_with(s, "fail"), {30, 41}),
    "the settings": (lambda s: setattr(s, "profile", replace(s.profile, resamples=77, map_images=5)), {10, 29}),
    "the unit": (lambda s: setattr(s, "unit", "clinic"), {7, 19, 20, 29, 32, 35, 38}),
    "the seed": (lambda s: setattr(s, "seed", 9), {7, 29, 43}),
    "the split": (lambda s: setattr(s.workshop, "split", lambda _run: SimpleNamespace(how="by lot")), {19}),
    "a verdict": (lambda s: s.verdicts.update({"9": SimpleNamespace(verdict="undecided")}), {40}),
    "the set's title": (lambda s: s.dataset().info.update(title="Another set"), {7}),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_an_answer_follows_its_records(study, fits, name):
    change, expected = MUTATIONS[name]
    before = answers(study, fits)
    change(study)
    after = answers(study, fits)
    changed = {number for number in after if after[number].answer != before[number].answer}
    if study.data == "real":  # other templates: the seed draws no image there, the retrospective title is told
        expected = expected - ({7} if name == "the seed" else set()) | ({5} if name == "the set's title" else set())
    assert changed == expected


def test_another_network_changes_what_is_said_of_networks(study):
    before = answers(study, made_fits(("small", "group", made_fit(3))))
    after = answers(study, made_fits(("small", "group", made_fit(4, epochs=9, image_size=32, crop="pad"))))
    changed = {number for number in after if after[number].answer != before[number].answer}
    assert changed == {9, 25, 32, 38, 39}
    assert "Of 18 answers of `small` to test images 3 are wrong, most often odd one taken for third (3 of 3" in (
        before[39].answer
    )
    assert "4 are wrong" in after[39].answer and "9 epochs" in after[25].answer and "32 x 32" in after[9].answer


def test_what_a_run_does_not_know_is_not_answered_and_says_why(study, fits):
    del study.metrics[study.settings.primary]
    (study._folder / "tables" / "gates_all.csv").unlink()
    found = answers(study, fits)
    for number in (20, 21, 30, 31, 37, 41):
        assert found[number].status == "not answered", number
        assert re.search("gate|Gates|primary estimand", found[number].answer), number
    assert found[32].status == "answered"


def test_gates_are_counted_and_the_failing_ones_named():
    found = of_gates(GATES.reset_index())
    assert found["gate_2"] == "1 of 2 rules pass, not: above that of centre" and found["gate_3"] == "1 of 1 rules pass"
    assert found["gate_6"] == "0.1 (a) to 0.4 (b), 9 choices" and found["failed"] == "1 of 6"
    assert found["crossing"] == "0 cross (pass)" and of_gates(None) == {}


def test_a_set_from_elsewhere(study, fits):
    study.settings = replace(study.settings, external="isic2017")
    assert "on no second set" in answers(study, fits)[33].answer or study.data == "phantom"
    study.metrics["external.shared"] = exact(0, how="images in both sets")  # a count says nothing of how well it did
    assert answers(study, fits)[33].status != "answered"
    moved(study, "accuracy.isic2017.test", 0.61, 0.5, 0.7)
    told = answers(study, fits)[33]
    if study.data == "phantom":
        assert told.status == "not applicable" and "no other clinic" in told.answer
    else:
        assert told.status == "answered" and "2 estimates on a set that no network saw" in told.answer
        assert "`accuracy.isic2017.test` 0.61 [0.5, 0.7]" in told.answer and "external.shared" not in told.answer


def test_it_is_written_and_records_nothing(study, fits, capsys):
    before = dict(study.metrics)
    claim_2024.show(study, fits, model_cards.cards(study, fits))
    study.put_in_place()
    table = pd.read_csv(study.final / "tables" / "claim_2024.csv", keep_default_na=False)
    assert list(table["number"]) == list(range(1, 45)) and (table["answer"].str.len() > 10).all()
    page = (study.final / "claim_2024.md").read_text(encoding="utf-8")
    assert page.count("\n| ") == 44 + len(PARTS) and page.strip() in capsys.readouterr().out
    assert study.metrics == before


def test_the_table_on_the_page(study, fits):
    study.settings = replace(study.settings, claim="a < b & `c`")
    items = list(answers(study, fits).values())
    html = claim_2024.page(items)
    assert html.count("<tr>") == 45 and html.count('class="part"') == len(PARTS)
    assert "a &lt; b &amp; <code>c</code>" in html
    assert claim_2024.counts(items) in html and sum(map(int, re.findall(r"\d+", claim_2024.counts(items)))) == 44
    assert set(re.findall(r'href="#([^"]+)"', html)) <= {
        name.replace(" ", "-").replace("'", "&#x27;") for name in claim_2024.SECTIONS
    }


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("0[1-5]_*.ipynb")), ids=lambda path: path.stem)
def test_it_is_the_last_table_of_every_study_and_its_links_lead_to_headings(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    headings = {line[3:].strip() for text in texts for line in text.splitlines() if line.startswith("## ")}
    assert headings == set(claim_2024.SECTIONS[1:])
    code = [text for text, cell in zip(texts, cells, strict=True) if cell["cell_type"] == "code"]
    assert code[-1] == "study.close()"
    assert code[-2] == "cards = card_pages.write(study, fits)\nclaim_2024.show(study, fits, cards)"


def test_every_fact_that_a_template_asks_for_can_be_known(study, fits):
    study.settings = replace(study.settings, external="isic2017")
    moved(study, "accuracy.isic2017.test")
    known = facts(study, fits, model_cards.cards(study, fits))
    for row in TABLE:
        answer = (row | row.get(study.data, {}))["answer"]
        asked = {name for _, name, _, _ in Formatter().parse(answer) if name}
        assert asked <= set(known), (row["number"], asked - set(known))
