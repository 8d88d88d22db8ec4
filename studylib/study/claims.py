"""The ledger of a study: every checkable statement of its source, the rule that settles it, its verdict on a run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from studylib.study.rules import UNTESTABLE, Condition, Rule, build_rule, combine, judge, sentence
from studylib.study.schema import RUNS, near, problems_of

if TYPE_CHECKING:  # pandas is imported where a table is made, so that `--help` stays fast
    import pandas as pd

    from studylib.metrics.intervals import Estimate

MASKS = {"phantom": "phantom", "real": "figshare"}  # what `{masks}` in a metric's name stands for


class ClaimsError(ValueError):
    """A ledger that cannot be used; the message lists every problem, one a line."""


@dataclass(frozen=True)
class Claim:
    """One statement of a source, as the ledger has it."""

    id: str
    topic: str
    statement: str
    source: str
    testable_on: tuple[str, ...]
    how: str
    weakness: str
    rule: Rule
    value: float | None = None
    unit: str = ""
    comparison: str = ""
    testable_on_reason: str = ""

    @property
    def stated(self) -> str:
        """What the source prints: its value with unit, else its comparison."""
        value = "" if self.value is None else f"{self.value:,.10g} {self.unit}".strip()
        return "; ".join(text for text in (value, self.comparison) if text)


@dataclass(frozen=True)
class Verdict:
    """What became of a statement in a run. Its fields are the columns of verdicts.csv."""

    claim: str
    topic: str
    statement: str
    source: str
    stated: str
    verdict: str
    evidence: str
    estimate: str
    metric: str
    reason: str
    rule: str


COLUMNS = tuple(field.name for field in fields(Verdict))


@dataclass(frozen=True)
class Ledger:
    """All statements of a source in its order, with the families in which p-values are corrected together."""

    study: str
    title: str
    claims: tuple[Claim, ...]
    families: Mapping[str, frozenset[str]]

    def __len__(self) -> int:
        return len(self.claims)

    def claim(self, claim_id: str) -> Claim:
        """The statement with this id. Raises ClaimsError naming the nearest."""
        found = {c.id: c for c in self.claims}
        if claim_id not in found:
            raise ClaimsError(f"study {self.study} has no claim '{claim_id}'{near(claim_id, found)}")
        return found[claim_id]

    def metrics(self, evidence: str) -> list[str]:
        """Names of the metrics that rules and families read in a `phantom` or `real` run, sorted."""
        members = [name for family in self.families.values() for name in family]
        read = [name for claim in self.claims for name in claim.rule.metrics]
        return sorted({_filled(name, _known_run(evidence)) for name in (*read, *members)})

    def settle(self, claim_id: str, metrics: Mapping[str, Estimate | Mapping], evidence: str, profile="") -> Verdict:
        """The verdict on one statement. metrics: name -> Estimate or its entry in metrics.json; evidence: what the run
        has, `phantom` or `real`; profile: named where a metric is missing."""
        claim = self.claim(claim_id)
        rule = _in_run(claim.rule, _known_run(evidence))
        names = rule.metrics
        found = {name: as_estimate(metrics[name]) for name in names if name in metrics}
        verdict, reason, strength = self._judge(claim, rule, metrics, evidence, profile)
        lead = "{}: " if len(names) > 1 else ""
        few = "an interval from few groups is indicative" if any("indicative" in e.how for e in found.values()) else ""
        return Verdict(
            claim=claim.id,
            topic=claim.topic,
            statement=claim.statement,
            source=claim.source,
            stated=claim.stated,
            verdict=verdict,
            evidence=strength,
            estimate="; ".join(lead.format(name) + str(e) for name, e in found.items()),
            metric="; ".join(names),
            reason=". ".join(text.rstrip(".") for text in (reason, few, rule.note) if text),
            rule=sentence(rule),
        )

    def settle_all(self, metrics: Mapping, evidence: str, profile: str = "") -> pd.DataFrame:
        """One row per statement in the ledger's order, with the columns of `Verdict` (verdicts.csv)."""
        import pandas as pd

        rows = [astuple(self.settle(claim.id, metrics, evidence, profile)) for claim in self.claims]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _judge(self, claim: Claim, rule: Rule, metrics: Mapping, run: str, profile: str) -> tuple[str, str, str]:
        if rule.kind == "document":
            reading = rule.reading
            return reading["verdict"], f"{reading['words']} (read: {reading['read']}, {reading['where']})", "document"
        if not rule.printed and run not in claim.testable_on:
            other = "real images" if run == "phantom" else "planted truth"
            beyond = f"; {claim.testable_on_reason}" if claim.testable_on_reason else ""
            return UNTESTABLE, f"asks for {other}; see the {claim.testable_on[0]} run{beyond}", run
        corrected, judged = self._corrected(metrics, run), []
        missing = [f"`{name}`" for name in rule.metrics if name not in metrics]
        for c in rule.conditions:
            evidence = c.evidence if c.evidence == "document" or (c.evidence and run == "real") else run
            if c.metric not in metrics or (c.direction and c.direction.metric not in metrics):
                judged.append((UNTESTABLE, "", evidence))
                continue
            direction = as_estimate(metrics[c.direction.metric]) if c.direction else None
            tested = c.direction or c
            p = corrected.get((tested.family, tested.metric))
            judged.append((*judge(c, as_estimate(metrics[c.metric]), p, direction), evidence))
        verdict, reason, strength = combine(rule, judged)
        if verdict == UNTESTABLE:
            named = f" (profile {profile})" if profile else ""
            reason = rule.reason or f"this run did not measure {', '.join(missing)}{named}"
        return verdict, reason, strength

    def _corrected(self, metrics: Mapping, run: str) -> dict[tuple[str, str], float]:
        """Holm-corrected p of each measured comparison, by (family, metric); a metric without p has its interval."""
        from studylib.metrics.comparisons import holm

        found = {}
        for family, members in self.families.items():
            names = sorted(_filled(name, run) for name in members)
            measured = {name: as_estimate(metrics[name]).p for name in names if name in metrics}
            measured = {name: p for name, p in measured.items() if p is not None and p == p}
            if measured:
                corrected = holm(list(measured.values()))
                found |= {(family, name): float(p) for name, p in zip(measured, corrected, strict=True)}
        return found


def load_claims(study: str, root: str | Path) -> Ledger:
    """The ledger of a study, `root/data/claims/NN.toml`. Raises ClaimsError that lists every problem of the file."""
    number = str(study).zfill(2)
    path = Path(root) / "data" / "claims" / f"{number}.toml"
    name = f"data/claims/{number}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.toml"))
        raise ClaimsError(f"{name}: there is no such file; ledgers at hand: {', '.join(known) or 'none'}")
    text = path.read_text(encoding="utf-8")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClaimsError(f"{name}: not valid TOML: {error}") from error
    problems = list(problems_of(table, number, text))
    if problems:
        raise ClaimsError("\n".join(f"{name} {problem}" for problem in problems))
    claims = tuple(_claim(row) for row in table["claim"])
    families = {family: set(members) for family, members in table.get("families", {}).items()}
    for claim in claims:
        for tested in (c.direction or c for c in claim.rule.conditions):
            if tested.family:
                families[tested.family].add(tested.metric)
    return Ledger(number, table["meta"]["title"], claims, {k: frozenset(v) for k, v in families.items()})


def _claim(row: Mapping) -> Claim:
    return Claim(**{**row, "testable_on": tuple(row["testable_on"]), "rule": build_rule(row["rule"])})


def as_estimate(found: Estimate | Mapping) -> Estimate:
    """An Estimate from one, or from its entry in metrics.json."""
    from studylib.metrics.intervals import Estimate

    return Estimate.from_dict(dict(found)) if isinstance(found, Mapping) else found


def diff(committed: str | Path | pd.DataFrame, now: str | Path | pd.DataFrame, *, costs: bool = False) -> pd.DataFrame:
    """What changed between two tables of verdicts: one row per flip, per row gone, per new row; none if nothing did.

    Columns: claim, topic, change (`verdict`, `evidence`, `gone`, `new`), was, now. Costs are compared within one
    machine only: left out unless `costs`. Raises ClaimsError for a table that lacks a column.
    """
    import pandas as pd

    before, after = (_verdicts(table) for table in (committed, now))
    rows = []
    for claim in dict.fromkeys([*before, *after]):
        was, new = before.get(claim), after.get(claim)
        topic = (new or was)["topic"]
        if topic == "cost" and not costs:
            continue
        if was is None or new is None:
            change = "new" if was is None else "gone"
            rows.append((claim, topic, change, was["verdict"] if was else "", new["verdict"] if new else ""))
        else:
            changed = [key for key in ("verdict", "evidence") if was[key] != new[key]]
            rows += [(claim, topic, key, was[key], new[key]) for key in changed]
    return pd.DataFrame(rows, columns=["claim", "topic", "change", "was", "now"])


def _verdicts(table: str | Path | pd.DataFrame) -> dict[str, dict]:
    import pandas as pd

    name = "verdicts" if isinstance(table, pd.DataFrame) else str(table)
    if not isinstance(table, pd.DataFrame):
        table = pd.read_csv(table, dtype=str, keep_default_na=False)
    lacking = [column for column in COLUMNS if column not in table]
    if lacking:
        raise ClaimsError(f"{name} lacks {', '.join(lacking)}; expected {', '.join(COLUMNS)}; run the report again")
    return {row["claim"]: row for row in table.to_dict("records")}


def _in_run(rule: Rule, run: str) -> Rule:
    """The rule with `{masks}` in its metrics filled in for this kind of run."""

    def fill(c: Condition) -> Condition:
        return replace(c, metric=_filled(c.metric, run), direction=c.direction and fill(c.direction))

    return replace(rule, conditions=tuple(map(fill, rule.conditions)))


def _filled(metric: str, run: str) -> str:
    return metric.replace("{masks}", MASKS[run])


def _known_run(run: str) -> str:
    if run not in RUNS:
        raise ClaimsError(f"evidence of a run is {' or '.join(RUNS)}, not '{run}'{near(run, RUNS)}")
    return run
