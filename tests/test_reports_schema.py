"""Every committed report keeps to its schema, as the docstring of `studylib.study.record` gives it."""

from __future__ import annotations

import copy
import csv
import json
import math
import re
import socket
import tomllib
from pathlib import Path

import pytest
from test_house import PRIVATE, listed_files

from studylib.study.claims import COLUMNS
from studylib.study.rules import STRONGEST_FIRST, VERDICTS
from studylib.study.settings import DATA, PROFILES

ROOT = Path(__file__).resolve().parents[1]
HEAD = {"study": str, "data": str, "profile": str, "seed": int, "settings": dict, "dataset": dict, "metrics": dict}
METRIC = {"value", "low", "high", "n", "groups", "unit", "how"}
PROVENANCE = {"commit", "clean", "packages", "cores", "accelerator", "seconds", "weights"}
# Keys that tell who ran it, where or when
TELLING = re.compile(r"host|user|path|cwd|home|date|time(?!d)|address|login", re.I)


def committed(name: str) -> list[str]:
    return [path for path in listed_files() if re.fullmatch(rf"reports/[a-z]+-[a-z]+/\d\d_\w+/{re.escape(name)}", path)]


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def metric_problems(name: str, metric: dict) -> list[str]:
    """One entry of `metrics`: undefined numbers are null, an interval runs upwards, counts are whole."""
    if METRIC - set(metric) or set(metric) - METRIC - {"p"}:
        return [f"{name}: keys {sorted(metric)}, expected {sorted(METRIC)} and perhaps p"]
    problems = [
        f"{name}: {key} is {metric[key]!r}, neither a finite number nor null"
        for key in ("value", "low", "high")
        if metric[key] is not None and not is_number(metric[key])
    ]
    problems += [
        f"{name}: {key} is {metric[key]!r}, expected a whole number of 0 or more"
        for key in ("n", "groups")
        if not isinstance(metric[key], int) or isinstance(metric[key], bool) or metric[key] < 0
    ]
    problems += [
        f"{name}: {key} is {metric[key]!r}, expected text"
        for key in ("unit", "how")
        if not isinstance(metric[key], str)
    ]
    if is_number(metric["low"]) and is_number(metric["high"]) and metric["low"] > metric["high"]:
        problems.append(f"{name}: low {metric['low']} lies above high {metric['high']}")
    if is_number(metric["groups"]) and is_number(metric["n"]) and metric["groups"] > metric["n"]:
        problems.append(f"{name}: {metric['groups']} groups of n = {metric['n']}")
    if (p := metric.get("p")) is not None and not (is_number(p) and 0 <= p <= 1):
        problems.append(f"{name}: p is {p!r}, expected 0 to 1")
    if not metric["how"]:
        problems.append(f"{name}: `how` is empty: say how the interval was made")
    return problems


def metrics_problems(content: dict, folder: str) -> list[str]:
    """metrics.json or costs.json of the report folder `<data>-<profile>/<NN_name>`."""
    problems = [
        f"{key} is {content.get(key)!r}, expected {kind.__name__}"
        for key, kind in HEAD.items()
        if not isinstance(content.get(key), kind)
    ]
    if problems:
        return problems
    run, name = folder.split("/")
    if f"{content['data']}-{content['profile']}" != run or content["study"] != name[:2]:
        problems.append(f"study {content['study']} {content['data']}-{content['profile']} stands in {folder}")
    if content["data"] not in DATA or content["profile"] not in PROFILES:
        problems.append(f"data {content['data']}, profile {content['profile']}: unknown")
    if not content["dataset"].get("name") or not re.fullmatch(
        r"[0-9a-f]{16}", str(content["dataset"].get("fingerprint"))
    ):
        problems.append(f"dataset is {content['dataset']}, expected a name and a fingerprint of 16 hexadecimal digits")
    return problems + [
        problem for name, metric in content["metrics"].items() for problem in metric_problems(name, metric)
    ]


def provenance_problems(content: dict) -> list[str]:
    """provenance.json: what it was made with, and nothing about who, where or when."""
    problems = [f"lacks {key}" for key in sorted(PROVENANCE - set(content))]
    if not re.fullmatch(r"[0-9a-f]{40}|unknown", str(content.get("commit"))):
        problems.append(f"commit is {content.get('commit')!r}")

    def walk(value: object, place: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if TELLING.search(str(key)):
                    problems.append(f"{place}{key} tells who, where or when")
                walk(inner, f"{place}{key}.")
        elif isinstance(value, list):
            for inner in value:
                walk(inner, place)
        elif isinstance(value, str) and (
            PRIVATE.search(value) or (len(host := socket.gethostname()) > 3 and host in value)
        ):
            problems.append(f"{place.rstrip('.')} holds a path or a host: {value!r}")

    walk({key: value for key, value in content.items() if key != "figures"}, "")
    return problems


def verdict_problems(columns: list[str], rows: list[dict], claims: list[dict], data: str) -> list[str]:
    """verdicts.csv: every statement of the ledger once, in order, with a known verdict, and a reason where open."""
    if tuple(columns) != COLUMNS:
        return [f"columns {columns}, expected {list(COLUMNS)}"]
    ids, expected = [row["claim"] for row in rows], [claim["id"] for claim in claims]
    problems = []
    if ids != expected:
        missing, extra = sorted(set(expected) - set(ids)), sorted(set(ids) - set(expected))
        problems.append(
            f"{len(ids)} rows for {len(expected)} statements; missing {missing}, unknown {extra}, or another order"
        )
    mechanism = {claim["id"]: claim.get("rule", {}).get("mechanism", False) for claim in claims}
    for row in rows:
        if row["verdict"] not in VERDICTS:
            problems.append(f"{row['claim']}: verdict '{row['verdict']}' is unknown")
        if row["verdict"] in ("not testable", "undecided") and not row["reason"]:
            problems.append(f"{row['claim']}: {row['verdict']} without a reason")
        if not set(row["evidence"].split("; ")) <= set(STRONGEST_FIRST):
            problems.append(f"{row['claim']}: evidence '{row['evidence']}' is unknown")
        if data == "phantom" and row["evidence"] in ("real", "stand-in"):
            problems.append(f"{row['claim']}: evidence '{row['evidence']}' in a run on phantoms")
        if row["evidence"] == "phantom" and row["verdict"] == "reproduced" and not mechanism.get(row["claim"], False):
            problems.append(f"{row['claim']}: a phantom reproduced what is no mechanism")
    return problems


@pytest.mark.parametrize("path", [*committed("metrics.json"), *committed("costs.json")])
def test_metrics(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    problems = metrics_problems(json.loads(text), "/".join(path.split("/")[1:3]))
    if text != json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n":
        problems.append("not written by record.write_json: the same numbers must be the same bytes")
    assert not problems, f"{path}:\n" + "\n".join(problems)


@pytest.mark.parametrize("path", committed("provenance.json"))
def test_provenance(path):
    problems = provenance_problems(json.loads((ROOT / path).read_text(encoding="utf-8")))
    assert not problems, f"{path}:\n" + "\n".join(problems)


@pytest.mark.parametrize("path", committed("verdicts.csv"))
def test_verdicts(path):
    study = path.split("/")[2][:2]
    ledger = ROOT / "data" / "claims" / f"{study}.toml"  # a notebook over all studies has none and judges nothing
    claims = tomllib.loads(ledger.read_text(encoding="utf-8"))["claim"] if ledger.is_file() else []
    with open(ROOT / path, newline="", encoding="utf-8") as table:
        reader = csv.DictReader(table)
        rows, columns = list(reader), reader.fieldnames
    problems = verdict_problems(columns, rows, claims, path.split("/")[1].split("-")[0])
    assert not problems, f"{path}:\n" + "\n".join(problems)


def test_every_report_is_whole():
    folders = {
        path.rsplit("/", 1)[0]
        for name in ("metrics.json", "provenance.json", "verdicts.csv")
        for path in committed(name)
    }
    for folder in sorted(folders):
        lacking = [n for n in ("metrics.json", "provenance.json", "verdicts.csv") if not (ROOT / folder / n).is_file()]
        assert not lacking, f"{folder} lacks {lacking}"


# ---- the checks themselves

GOOD_METRIC = {
    "value": 0.5,
    "low": 0.4,
    "high": None,
    "n": 10,
    "groups": 4,
    "unit": "patient",
    "how": "bootstrap",
    "p": 0.01,
}
GOOD = {
    "study": "07",
    "data": "phantom",
    "profile": "quick",
    "seed": 0,
    "settings": {"epochs": 1},
    "dataset": {"name": "demo", "fingerprint": "0123456789abcdef"},
    "metrics": {"a.b": GOOD_METRIC},
}


def changed(content: dict, keys: str, value: object) -> dict:
    """A copy with one value changed: keys are joined by '/', None as a value removes the key."""
    found = copy.deepcopy(content)
    *way, last = keys.split("/")
    inner = found
    for key in way:
        inner = inner[key]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return found


def test_good_metrics_have_no_problems():
    assert metrics_problems(GOOD, "phantom-quick/07_demo") == []


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        ("seed", "0", "seed is '0', expected int"),
        ("settings", None, "settings is None, expected dict"),
        ("profile", "standard", "study 07 phantom-standard stands in phantom-quick/07_demo"),
        ("study", "08", "study 08 phantom-quick stands in"),
        ("dataset/fingerprint", "0123", "16 hexadecimal digits"),
        ("metrics/a.b/unit", None, "a.b: keys"),
        ("metrics/a.b/extra", 1, "a.b: keys"),
        ("metrics/a.b/value", float("nan"), "a.b: value is nan, neither a finite number nor null"),
        ("metrics/a.b/value", True, "a.b: value is True"),
        ("metrics/a.b/high", 0.3, "a.b: low 0.4 lies above high 0.3"),
        ("metrics/a.b/n", 10.0, "a.b: n is 10.0, expected a whole number"),
        ("metrics/a.b/groups", 11, "a.b: 11 groups of n = 10"),
        ("metrics/a.b/p", 1.5, "a.b: p is 1.5"),
        ("metrics/a.b/how", "", "a.b: `how` is empty"),
    ],
)
def test_each_fault_of_metrics_is_found(keys, value, message):
    problems = metrics_problems(changed(GOOD, keys, value), "phantom-quick/07_demo")
    assert any(message in problem for problem in problems), problems


ORIGIN = {"commit": "a" * 40, "clean": True, "packages": {"torch": "2.15.0"}, "cores": 2, "accelerator": "cpu"}
ORIGIN |= {"seconds": {"notebook": 61.5}, "weights": {"pretrained": "squeezenet1_1.safetensors"}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ORIGIN | {"hostname": "x"}, "hostname tells who, where or when"),
        (ORIGIN | {"packages": {"username": "x"}}, "packages.username tells"),
        (
            ORIGIN | {"weights": {"pretrained": "/".join(["", "home", "me", "w"])}},
            "weights.pretrained holds a path or a host",
        ),
        (ORIGIN | {"accelerator": f"on {socket.gethostname()}-long"}, "accelerator holds a path or a host")
        if len(socket.gethostname()) > 3
        else (ORIGIN | {"commit": "x"}, "commit is 'x'"),
        ({k: v for k, v in ORIGIN.items() if k != "seconds"}, "lacks seconds"),
        (ORIGIN | {"commit": "abc"}, "commit is 'abc'"),
    ],
)
def test_each_fault_of_provenance_is_found(content, message):
    assert provenance_problems(ORIGIN) == []
    assert any(message in problem for problem in provenance_problems(content)), provenance_problems(content)


CLAIMS = [{"id": "7.1", "rule": {"mechanism": True}}, {"id": "7.2", "rule": {}}]
ROWS = [
    dict.fromkeys(COLUMNS, "") | {"claim": "7.1", "verdict": "reproduced", "evidence": "phantom"},
    dict.fromkeys(COLUMNS, "")
    | {"claim": "7.2", "verdict": "not testable", "evidence": "phantom", "reason": "no images"},
]


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (1, {"claim": "7.3"}, "2 rows for 2 statements; missing ['7.2'], unknown ['7.3']"),
        (1, {"verdict": "maybe"}, "7.2: verdict 'maybe' is unknown"),
        (1, {"reason": ""}, "7.2: not testable without a reason"),
        (1, {"evidence": "guess"}, "7.2: evidence 'guess' is unknown"),
        (1, {"evidence": "real"}, "7.2: evidence 'real' in a run on phantoms"),
        (1, {"verdict": "reproduced"}, "7.2: a phantom reproduced what is no mechanism"),
    ],
)
def test_each_fault_of_verdicts_is_found(row, change, message):
    assert verdict_problems(list(COLUMNS), ROWS, CLAIMS, "phantom") == []
    rows = [found | change if i == row else found for i, found in enumerate(ROWS)]
    problems = verdict_problems(list(COLUMNS), rows, CLAIMS, "phantom")
    assert any(message in problem for problem in problems), problems


def test_other_columns_are_found():
    assert "expected ['claim'" in verdict_problems(["id", "verdict"], [], CLAIMS, "phantom")[0]
