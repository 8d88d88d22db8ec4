"""Rules of the ledger: what a statement must meet to be called reproduced, as data, as a sentence, and as a judgement.

A rule reads estimates (value with a 95 % interval) by name and never looks at images or networks. DESIGN 3 gives the
table of verdicts; a boundary that touches counts against the statement: the interval of `a > 0` must lie above 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist

REPRODUCED, PARTLY, REFUTED, UNDECIDED, UNTESTABLE = VERDICTS = (
    "reproduced",
    "partly",
    "not reproduced",
    "undecided",
    "not testable",
)
# A list of conditions that must all hold is as good as its worst. A refuted part refutes the whole whatever else is
# missing; a missing part outweighs an undecided one, since no number of groups would mend it.
WORST_FIRST = (REFUTED, UNTESTABLE, UNDECIDED, PARTLY, REPRODUCED)
STRONGEST_FIRST = ("document", "real", "stand-in", "phantom")  # evidence; "document": read, or computed from print

# kind -> (keys that it needs, keys that it may have)
NEEDS = {
    "exact": ({"metric", "value"}, {"tolerance"}),
    "number": ({"metric", "value", "margin"}, {"rounding", "direction"}),
    "direction": ({"metric", "sign"}, {"than", "family"}),
    "threshold": ({"metric", "sign", "than"}, set()),
    "equivalence": ({"metric", "margin"}, {"value"}),
    "document": ({"reading"}, set()),
    "all": ({"part"}, set()),
    "any": ({"part"}, set()),
}
PER_METRIC = ("value", "margin", "sign", "than", "rounding", "tolerance", "direction")  # may be lists beside `metric`
ROUND = 1e-12  # 0.92 - 0.88 is 0.04 and a bit in binary: an interval that just fits its margin fits
READING = ("verdict", "read", "where", "words")


@dataclass(frozen=True)
class Condition:
    """One metric and what it must meet. `family`: comparisons whose p-values are corrected together (Holm)."""

    kind: str
    metric: str
    value: float = 0.0
    margin: float = math.inf
    rounding: float = 0.0  # half a unit of the last printed digit: 94.87 % may stand for 94.865 to 94.875
    tolerance: float = 1e-9
    sign: str = ">"
    than: float = 0.0
    family: str | None = None
    direction: Condition | None = None
    evidence: str | None = None


@dataclass(frozen=True)
class Rule:
    """How a statement is settled: conditions of which all or any must hold, or a reading (a document rule)."""

    kind: str
    conditions: tuple[Condition, ...] = ()
    combine: str = "all"
    mechanism: bool = False  # a phantom may decide it
    reason: str = ""  # why, where a metric is missing for good
    note: str = ""  # what the verdict must not be read without
    reading: Mapping[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics it reads, in order, each once."""
        tested = [one for c in self.conditions for one in (c, c.direction) if one]
        return list(dict.fromkeys(one.metric for one in tested))

    @property
    def printed(self) -> bool:
        """Whether it is arithmetic on what the source prints, for which no image is needed."""
        return bool(self.conditions) and all(c.evidence == "document" for c in self.conditions)


def build_rule(table: Mapping) -> Rule:
    """The Rule of a ledger's `[claim.rule]` table, which `schema.check_rule` has found sound."""
    parts = table["part"] if table["kind"] in ("all", "any") else [table]
    conditions = [c for part in parts if "metric" in part for c in _conditions(part)]
    combine = "any" if table["kind"] == "any" else "all"
    rest = {key: table[key] for key in ("mechanism", "reason", "note", "reading") if key in table}
    return Rule(table["kind"], tuple(conditions), combine, **rest)


def _conditions(part: Mapping) -> list[Condition]:
    names = part["metric"] if isinstance(part["metric"], list) else [part["metric"]]
    conditions = []
    for i, name in enumerate(names):
        own = {key: part[key][i] if isinstance(part[key], list) else part[key] for key in PER_METRIC if key in part}
        if "direction" in own:  # without a metric of its own, the direction is asked of the same one
            own["direction"] = Condition("direction", **{"metric": name, **own["direction"]})
        shared = {key: part[key] for key in ("family", "evidence") if key in part}
        conditions.append(Condition(part["kind"], name, **own, **shared))
    return conditions


# ---------------------------------------------------------------- sentences


def sentence(rule: Rule) -> str:
    """The rule as one sentence that a reader can hold against the estimate."""
    if rule.kind == "document":
        return "judged by reading"
    groups: dict[Condition, list[str]] = {}  # conditions that differ in their metric only are one phrase
    for c in rule.conditions:
        groups.setdefault(_unnamed(c), []).append(f"`{c.metric}`")
    joint = "; and " if rule.combine == "all" else "; or "
    text = "reproduced if " + joint.join(_phrase(c, names) for c, names in groups.items())
    directions: dict[Condition, list[str]] = {}
    for c in rule.conditions:
        if c.direction:
            directions.setdefault(_unnamed(c.direction), []).append(f"`{c.direction.metric}`")
    if not directions:
        return text
    stated = "; and ".join(_phrase(c, names) for c, names in directions.items())
    return f"{text}; and {stated}; partly if only the last holds"


def _unnamed(c: Condition) -> Condition:
    return replace(c, metric="", direction=None, evidence=None)


def _phrase(c: Condition, names: list[str]) -> str:
    what = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    if c.kind == "exact":
        each = "is" if len(names) == 1 else "are each"
        return f"{what} {each} {_plain(c.value)}" + (f" within {_plain(c.tolerance)}" if c.tolerance > 1e-6 else "")
    interval = f"the 95 % interval of {what if len(names) == 1 else 'each of ' + what}"
    if c.kind == "number":
        printed = f" (printed to ±{_plain(c.rounding)})" if c.rounding else ""
        return f"{interval} holds {_plain(c.value)}{printed} and is no wider than ±{_plain(c.margin)}"
    if c.kind == "equivalence":
        return f"{interval} lies within ±{_plain(c.margin)} of {_plain(c.value)}"
    side = "above" if c.sign == ">" else "below"
    corrected = f" (p < .05 after Holm in family '{c.family}')" if c.family else ""
    return f"{interval} lies {side} {_plain(c.than)}{corrected}"


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")


# ---------------------------------------------------------------- judgement


def judge(c: Condition, estimate, p: float | None = None, direction=None) -> tuple[str, str]:
    """Verdict and reason of one condition. estimate: an Estimate; direction: the Estimate that `c.direction` reads;
    p: the p-value of the stated direction, corrected within its family."""
    e = estimate
    if not math.isfinite(e.value):
        return UNDECIDED, f"`{c.metric}` is undefined ({e.how or 'no reason recorded'})"
    if c.kind == "exact":
        if abs(e.value - c.value) <= c.tolerance:
            return REPRODUCED, ""
        return REFUTED, f"`{c.metric}` is {_plain(e.value)}, not {_plain(c.value)}"
    if e.how.startswith("range") or not (math.isfinite(e.low) and math.isfinite(e.high)):
        return UNDECIDED, f"`{c.metric}` has no interval ({e.how or f'{e.groups} groups'})"
    return {"number": _number, "equivalence": _equivalence}.get(c.kind, _side)(c, e, p, direction)


def _side(c: Condition, e, p: float | None, _) -> tuple[str, str]:
    low, high, than = (e.low, e.high, c.than) if c.sign == ">" else (-e.high, -e.low, -c.than)
    if high <= than:
        return REFUTED, f"the interval of `{c.metric}` excludes {c.sign} {_plain(c.than)}"
    if low <= than:
        need = more_groups(e, abs(e.value - c.than))
        return UNDECIDED, f"the interval of `{c.metric}` holds both sides of {_plain(c.than)}; {need}"
    if p is not None and not p < 0.05:
        need = more_groups(e, (e.high - e.low) / 2 * NormalDist().inv_cdf(1 - p / 2) / NormalDist().inv_cdf(0.975))
        return UNDECIDED, f"`{c.metric}`: p = {p:.2g} after Holm in family '{c.family}'; {need}"
    return REPRODUCED, ""


def _number(c: Condition, e, p: float | None, direction) -> tuple[str, str]:
    holds = e.low - c.rounding <= c.value <= e.high + c.rounding
    half = (e.high - e.low) / 2
    if c.direction:
        stated, why = judge(c.direction, direction, p)
        if stated != REPRODUCED:
            return stated, why
        if not holds:
            return PARTLY, f"the direction holds; {_plain(c.value)} lies outside the interval of `{c.metric}`"
    elif not holds:
        return REFUTED, f"{_plain(c.value)} lies outside the interval of `{c.metric}`"
    if half > c.margin + ROUND:
        need = more_groups(e, c.margin)
        return UNDECIDED, f"`{c.metric}` is known to ±{half:.3g} only, the rule asks for ±{_plain(c.margin)}; {need}"
    return REPRODUCED, ""


def _equivalence(c: Condition, e, p: float | None, _) -> tuple[str, str]:
    low, high = c.value - c.margin, c.value + c.margin
    if low - ROUND <= e.low and e.high <= high + ROUND:
        return REPRODUCED, ""
    if e.low > high or e.high < low:
        return REFUTED, f"the interval of `{c.metric}` lies outside {_plain(low)} to {_plain(high)}"
    need = more_groups(e, abs(c.margin - abs(e.value - c.value)))
    return UNDECIDED, f"the interval of `{c.metric}` crosses the edge of {_plain(low)} to {_plain(high)}; {need}"


def more_groups(e, distance: float) -> str:
    """How many groups would shrink the half width to `distance`, in words."""
    from studylib.metrics.intervals import groups_needed

    need = groups_needed(e, margin=distance)
    if need is None or e.groups < 2:
        return "no number of groups can be given"
    if need > 1_000_000:
        return "more than a million groups would be needed if the estimate stays"
    need = max(need, e.groups + 1)
    return f"about {need:,} groups ({e.unit}) would decide it if the estimate stays, now {e.groups:,}"


def combine(rule: Rule, judged: list[tuple[str, str, str]]) -> tuple[str, str, str]:
    """Verdict, reason and evidence of a whole rule from (verdict, reason, evidence) of each condition.

    All: the worst decides; a positive verdict rests on every part and is as strong as its weakest evidence, a
    negative one needs only the strongest part that gives it. Any: the best decides.
    """
    order = WORST_FIRST if rule.combine == "all" else (REPRODUCED, PARTLY, UNDECIDED, UNTESTABLE, REFUTED)
    verdict = min((v for v, _, _ in judged), key=order.index)
    deciding = [j for j in judged if j[0] == verdict]
    resting = judged if (rule.combine == "all") == (verdict in (REPRODUCED, PARTLY)) else deciding
    pick: Callable = max if resting is judged else min
    evidence = pick((ev for _, _, ev in resting), key=STRONGEST_FIRST.index)
    return verdict, "; ".join(why for _, why, _ in deciding if why), evidence
