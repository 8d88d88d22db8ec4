"""What a ledger file, `data/claims/NN.toml`, may say: its keys, their types, what a rule of each kind needs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from studylib.study.rules import NEEDS, PER_METRIC, READING, VERDICTS, Rule, build_rule

RUNS = ("phantom", "real")
TOP = ("meta", "families", "claim")
NEEDED = {"id": str, "topic": str, "statement": str, "source": str, "testable_on": list, "how": str, "weakness": str}
OPTIONAL = {"value": (int, float), "unit": str, "comparison": str, "testable_on_reason": str}
COMMON = {"kind": str, "mechanism": bool, "evidence": str, "reason": str, "note": str}  # keys of every rule
TYPES = dict.fromkeys(("value", "margin", "rounding", "tolerance", "than"), (int, float)) | dict.fromkeys(
    ("metric", "sign", "family"), str
)
TYPES |= {"direction": Mapping, "reading": Mapping, "part": list}


def problems_of(table: Mapping, number: str, text: str) -> Iterator[str]:
    """What is wrong with a parsed ledger, one sentence each. text: the file, for line numbers."""
    yield from (f"key '{key}' is unknown{near(key, TOP)}" for key in table if key not in TOP)
    meta = table.get("meta", {})
    if str(meta.get("study", "")).zfill(2) != number or not meta.get("title"):
        yield f"[meta]: expected study = {int(number)} and a title, found study = {meta.get('study')!r}"
    families = table.get("families", {})
    rows = table.get("claim", [])
    if not isinstance(rows, list) or not rows:
        yield "there is no [[claim]]"
        return
    lines = [i for i, line in enumerate(text.splitlines(), 1) if line.strip() == "[[claim]]"]
    first: dict[str, int] = {}
    for row, line in zip(rows, lines, strict=True):
        where = f"line {line} claim {row.get('id', '?')}: "
        yield from (where + problem for problem in _of_claim(row, int(number), families))
        if row.get("id") in first:
            yield f"{where}this id stands in line {first[row['id']]} already"
        first.setdefault(row.get("id"), line)


def _of_claim(row: Mapping, study: int, families: Mapping) -> Iterator[str]:
    known = NEEDED | OPTIONAL | {"rule": Mapping}
    yield from (f"key '{key}' is unknown{near(key, known)}" for key in row if key not in known)
    yield from (f"'{key}' is missing" for key in (*NEEDED, "rule") if key not in row)
    yield from _wrong_types(row, known)
    if not str(row.get("id", "")).startswith(f"{study}."):
        yield f"id '{row.get('id')}' does not begin with '{study}.'"
    runs = row.get("testable_on", [])
    yield from (f"testable_on '{run}' is unknown{near(run, RUNS)}" for run in runs if run not in RUNS)
    rule = row.get("rule")
    if isinstance(rule, Mapping):
        problems = list(check_rule(rule, families))
        yield from (f"rule: {problem}" for problem in problems)
        if not problems:
            yield from _at_odds(row, build_rule(rule), runs)


def check_rule(rule: Mapping, families: Mapping, *, part: bool = False) -> Iterator[str]:
    """What is wrong with a `[claim.rule]` table, one sentence each."""
    kind = rule.get("kind")
    kinds = [k for k in NEEDS if not part or k not in ("document", "all", "any")]
    if kind not in kinds:
        yield f"kind '{kind}' is unknown{near(kind, kinds)} (known: {', '.join(kinds)})"
        return
    needs, may = NEEDS[kind]
    known = {"kind", *needs, *may} | (set() if part else set(COMMON) - {"evidence"})
    if "metric" in needs:
        known.add("evidence")
    yield from (f"key '{key}' is unknown for kind '{kind}'{near(key, known)}" for key in rule if key not in known)
    yield from (f"kind '{kind}' needs '{key}'" for key in sorted(needs) if key not in rule)
    wrong = list(_wrong_types(rule, TYPES | COMMON))
    yield from wrong
    if wrong or not needs <= set(rule):
        return
    metrics = _listed(rule.get("metric"))
    for key in PER_METRIC:
        if isinstance(rule.get(key), list) and len(rule[key]) != len(metrics):
            yield f"'{key}' has {len(rule[key])} entries for {len(metrics)} metrics"
    yield from (f"sign '{s}' is neither '>' nor '<'" for s in _listed(rule.get("sign", [])) if s not in ("<", ">"))
    if rule.get("evidence", "stand-in") not in ("stand-in", "document"):
        yield f"evidence '{rule['evidence']}' is given by the run; a rule may only say 'stand-in' or 'document'"
    if rule.get("family") is not None and rule["family"] not in families:
        yield f"family '{rule['family']}' is not declared in [families]{near(rule['family'], families)}"
    if rule.get("family") and rule.get("than", 0) != 0:
        yield "a family corrects p-values of tests against 0; than must be 0"
    for direction in _listed(rule.get("direction", [])):
        whole = {"kind": "direction", "metric": "own", **direction}
        yield from (f"direction: {problem}" for problem in check_rule(whole, families, part=True))
    if kind == "document":
        reading = rule["reading"]
        yield from (f"reading needs '{key}'" for key in READING if not reading.get(key))
        yield from (f"reading: key '{key}' is unknown{near(key, READING)}" for key in reading if key not in READING)
        verdict = reading.get("verdict", VERDICTS[0])
        if verdict not in VERDICTS:
            yield f"reading: verdict '{verdict}' is unknown{near(verdict, VERDICTS)}"
    for i, one in enumerate(rule.get("part", []), 1):
        yield from (f"part {i}: {problem}" for problem in check_rule(one, families, part=True))


def _at_odds(row: Mapping, rule: Rule, runs: list[str]) -> Iterator[str]:
    """Rules that contradict where their statement can be tested."""
    if rule.kind == "document":
        return
    if not runs and not rule.printed:
        yield "testable_on is empty: only a document rule, or evidence = 'document', can settle it"
    if rule.mechanism != ("phantom" in runs):
        yield f"mechanism = {rule.mechanism} but testable_on = {runs}: a phantom decides mechanisms, and only those"
    if rule.mechanism and any(c.kind == "number" for c in rule.conditions):
        yield "kind 'number' is a number of a clinic: a phantom cannot decide it (mechanism, testable_on)"


def _listed(value) -> list:
    return value if isinstance(value, list) else [value]


def _wrong_types(row: Mapping, types: Mapping) -> Iterator[str]:
    lists = ("metric", *PER_METRIC) if "metric" in types else ()
    for key, wanted in types.items():
        names = wanted if isinstance(wanted, tuple) else (wanted,)
        values = row.get(key, [])
        for value in values if isinstance(values, list) and (key in lists or key not in row) else [values]:
            if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in names):
                yield f"'{key}' is {value!r}: expected {' or '.join(t.__name__ for t in names)}"


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known name, else nothing."""
    found = difflib.get_close_matches(str(name), list(known), n=1)
    return f"; did you mean '{found[0]}'?" if found else ""
