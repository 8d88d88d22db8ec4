"""Answers to "can I trust Grad-CAM on my images?", found in the records of the runs that are there: five questions, one
finding a study and question, and sentences whose words follow from the numbers.

A finding is `yes` where the whole 95 % interval lies on the asked side of a bound, `no` where it lies on the other,
else `undecided`. Where several figures answer one question, all must hold: the least favourable speaks, so that a
map must beat the strongest guess. What the best other map reaches against that same guess is kept beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studylib.metrics.intervals import Estimate
    from studylib.study.site import Report

YES, NO, UNDECIDED, UNMEASURED = OUTCOMES = ("yes", "no", "undecided", "not measured")
GUESSES = ("floor", "chosen_floor", "centre", "class_mean", "brightest", "darkest", "blue", "sobel", "random")


@dataclass(frozen=True)
class Question:
    """A question, which side of the bound says yes, how a count of studies is told, where a notebook answers it."""

    name: str
    asks: str
    holds: str  # what is so in the studies that say yes
    fails: str  # before the number of those that say no
    above: bool
    section: str  # a regular expression for the heading of the notebook
    on: str = ""  # "phantom": only runs on phantoms can say


@dataclass(frozen=True)
class Ask:
    """Which metrics of a study answer a question: `*` any word, `{map}` a map, `{guess}` one of GUESSES. study "*":
    every study that is not listed on its own. main: the map that answers.
    """

    question: str
    study: str
    pattern: str
    than: float
    measure: str
    main: str = "cam"


QUESTIONS = (
    Question(
        "place", "Does the map mark the finding?",
        "it beats the best guess without a network (a blob, dark pixels, edges)", "worse in", True,
        "beat floors|better than no network",
    ),
    Question(
        "weights", "Does it depend on the network?",
        "random weights or random labels make it another map", "not in", False,
        "depend on the weights",
    ),
    Question(
        "seeds", "Would a second training repeat it?",
        "another seed draws an alike map", "not in", True, "depend on the weights",
    ),
    Question(
        "shortcut", "Would it show a shortcut?",
        "it shows a planted one", "not in", True, "shortcut that we planted|what the network rests on",
        "phantom",
    ),
    Question(
        "need", "Does the network need what it marks?",
        "removing that hurts more than removing what any guess marks", "less in", False,
        "network need",
    ),
)  # fmt: skip

# The metrics that are read. 0.1 and 0.6 are the bounds of gates 3 and 4 (`audit.BOUNDS`); a rate must lie above a half.
ASKED = (
    Ask("place", "01", "primary.cam_minus_floor.auprc", 0.0, "pixel AUPRC of the nucleus, map minus guess"),
    Ask("place", "02", "loc.*.{map}_minus_{guess}.auprc", 0.0, "pixel AUPRC of the tumour, map minus guess"),
    Ask("place", "03", "loc.{map}_minus_{guess}.auprc", 0.0, "pixel AUPRC of os and zone, map minus guess"),
    Ask("place", "04", "primary.cam_minus_floor.iou", 0.0, "IoU of the best 5 %, map minus guess"),
    Ask("place", "05", "loc.{map}_minus_chosen_floor.iou_matched", 0.0, "IoU at the lesion's own area, map minus guess",
        "gradcam"),
    Ask("weights", "*", "sanity.*.*_minus_random_pairs", 0.1, "likeness above random pairs (bound 0.1)"),
    Ask("seeds", "*", "stability.seeds.spearman", 0.6, "rank correlation (bound 0.6)"),
    Ask("shortcut", "01", "reveal.marker.cam.rate", 0.5, "pictures that show the ink"),
    Ask("shortcut", "02", "cue.marker.energy_minus_area", 0.0, "map energy on the letter minus its area"),
    Ask("shortcut", "03", "reveal.marker.cam.rate", 0.5, "pictures that show the letters"),
    Ask("shortcut", "04", "cue.marker.energy_minus_area", 0.0, "map energy on the marker minus its area"),
    Ask("shortcut", "05", "reveal.ruler.gradcam.rate", 0.5, "pictures that show the ruler"),
    Ask("need", "01", "faith.cam_minus_{guess}.deletion", 0.0, "deletion area, map minus guess"),
    Ask("need", "02", "faith.deletion.cam_minus_{guess}", 0.0, "deletion area, map minus guess"),
    Ask("need", "05", "faith.gradcam_minus_{guess}.deletion", 0.0, "deletion area, map minus guess"),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What a study's run says to a question. Without a report nothing was measured."""

    question: Question
    study: str
    outcome: str = UNMEASURED
    report: Report | None = None
    metric: str = ""
    estimate: Estimate | None = None
    measure: str = ""
    among: int = 0  # figures that had to hold
    other: Other | None = None

    @property
    def figure(self) -> str:
        """The value with interval, n and groups."""
        return "" if self.estimate is None else without_p(self.estimate)


@dataclass(frozen=True)
class Other:
    """The best of the other maps that were measured against the same guess."""

    name: str
    outcome: str
    estimate: Estimate


def without_p(estimate: Estimate) -> str:
    """An estimate as the house writes it, its p left out."""
    return str(replace(estimate, p=None))


def findings(reports: Iterable[Report]) -> dict[str, list[Finding]]:
    """Question -> a finding for each study, in order. reports: of studies, as they lead within a study."""
    studies: dict[str, list[Report]] = {}
    for report in reports:
        studies.setdefault(report.study, []).append(report)
    return {q.name: [_finding(q, study, runs) for study, runs in studies.items()] for q in QUESTIONS}


def _finding(question: Question, study: str, runs: list[Report]) -> Finding:
    asks = [ask for ask in ASKED if ask.question == question.name]
    own = [ask for ask in asks if ask.study == study] or [ask for ask in asks if ask.study == "*"]
    for report in runs:
        if question.on and report.data != question.on:
            continue
        for ask in own:
            if found := _matches(ask, report.metrics):
                return replace(_judged(question, ask, found), study=study, report=report)
    return Finding(question, study)


def _matches(ask: Ask, metrics: Mapping[str, dict]) -> dict[str, tuple[str, str, Estimate]]:
    """Metric -> (map, guess, estimate) for each that fits and has a value."""
    from studylib.study.claims import as_estimate

    pattern = re.escape(ask.pattern).replace(r"\*", r"[a-z0-9_]+?")
    pattern = pattern.replace(r"\{map\}", r"(?P<map>[a-z0-9_]+?)").replace(
        r"\{guess\}", f"(?P<guess>{'|'.join(GUESSES)})"
    )
    found = {}
    for name, entry in metrics.items():
        if (fits := re.fullmatch(pattern, name)) and entry.get("value") is not None:
            parts = fits.groupdict()
            found[name] = (parts.get("map", ask.main), parts.get("guess", ""), as_estimate(entry))
    return found


def _judged(question: Question, ask: Ask, found: dict) -> Finding:
    """The finding of a run, by the least favourable figure of the main map; and the best other map beside it."""
    rows = [(name, key, guess, e, outcome(e, ask.than, question.above)) for name, (key, guess, e) in found.items()]

    def goodness(row) -> tuple[int, float]:
        return (NO, UNDECIDED, YES).index(row[4]), row[3].value if question.above else -row[3].value

    main = [row for row in rows if row[1] == ask.main] or rows
    name, _, guess, estimate, word = min(main, key=goodness)
    best = max((row for row in rows if row not in main and row[2] == guess), key=goodness, default=None)
    other = Other(best[1], best[4], best[3]) if best else None
    return Finding(question, "", word, None, name, estimate, ask.measure, len(main), other)


def outcome(e: Estimate, than: float, above: bool) -> str:
    """`yes` where the whole interval lies on the asked side of the bound, `no` where on the other, else `undecided`."""
    if not (e.low == e.low and e.high == e.high):
        return UNDECIDED
    beyond, short = e.low > than, e.high < than
    return YES if (beyond if above else short) else NO if (short if above else beyond) else UNDECIDED


def tally(found: list[Finding]) -> dict[str, list[str]]:
    """Outcome -> studies, in order."""
    return {word: [finding.study for finding in found if finding.outcome == word] for word in OUTCOMES}


def example(found: list[Finding]) -> Finding | None:
    """The finding that a sentence quotes: real images first, then the most groups."""
    measured = [finding for finding in found if finding.report]
    return max(measured, key=lambda f: (f.report.data == "real", f.estimate.groups, f.estimate.n), default=None)


def count_sentence(question: Question, found: list[Finding]) -> str:
    """`In 0 of 5 studies it …; not in 4 (01, 02, 03, 04), undecided in 1 (05). Nor does another map in 2 studies.`"""
    told = tally(found)
    measured = len(found) - len(told[UNMEASURED])
    if not measured:
        return "No run at hand measured this."
    where = f"In {len(told[YES])} of {measured} {'study' if measured == 1 else 'studies'}"
    others = [
        f"{words} {len(told[word])}{_listed(told[word], measured)}"
        for word, words in ((NO, question.fails), (UNDECIDED, "undecided in"))
        if told[word]
    ]
    text = f"{where} {question.holds}" + (f"; {', '.join(others)}" if others else "") + "."
    if tried := [finding for finding in found if finding.other]:
        better = [finding.study for finding in tried if finding.other.outcome == YES]
        many = f"{len(tried)} {'study' if len(tried) == 1 else 'studies'}"
        text += f" Another map does in {len(better)} of {many}." if better else f" Nor does another map in {many}."
    return text + (f" Not measured in {', '.join(told[UNMEASURED])}." if told[UNMEASURED] else "")


def _listed(studies: list[str], measured: int) -> str:
    return "" if len(studies) == measured else f" ({', '.join(studies)})"


def short_answer(found: Mapping[str, list[Finding]]) -> str:
    """The answer in two sentences; every word of it follows from the findings."""
    place, shortcut = (_of_judged(found[name]) for name in ("place", "shortcut"))
    if not place[1]:
        return "No run here can say: none compares a map with a guess that knows no network."
    if all(_of_judged(rows)[0] == _of_judged(rows)[1] for rows in found.values()):
        return (
            "In these studies, yes: it passed every check that was made. Your images are others: make the checks there."
        )
    if not place[0]:
        first = "No, not as evidence of where the finding is: in no study does it surely beat a guess."
    elif place[0] == place[1]:
        first = "For where the finding is, yes in these studies; not every other check below was passed."
    else:
        first = f"Only after a check on your own images: it beats a guess in {_of(place)} studies."
    if not shortcut[1]:
        second = "Whether it would show a shortcut, no run here measured."
    elif shortcut[0] == shortcut[1]:
        second = "As a search for shortcuts it earns its place: it shows the planted one in every study that tried."
    else:
        second = (
            f"A clean map does not clear the network: it surely shows a planted shortcut in {_of(shortcut)} studies"
        )
        unsure = len(tally(found["shortcut"])[UNDECIDED])
        second += f", undecided in {unsure}." if unsure else "."
    return f"{first} {second}"


def _of_judged(found: list[Finding]) -> tuple[int, int]:
    """How many studies say yes, of how many that measured."""
    told = tally(found)
    return len(told[YES]), len(found) - len(told[UNMEASURED])


def _of(counts: tuple[int, int]) -> str:
    return f"{counts[0]} of {counts[1]}"
