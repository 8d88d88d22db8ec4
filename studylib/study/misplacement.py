"""Verdicts on where a map lies, in the words of study 3's source (4.3), and their counts as it counts them.

A table holds one row a map: image, group, method, verdict, and where there are several, repeat (network) or reader. Its
verdicts come from a rule (`placement`) or from an expert (`review`). Of the four faults that the source adds up as
"misplacement" two belong to the map and two to the photograph: the latter are the same for every method. A verdict of
`UNDEFINED`, or an empty one, is no verdict: it is counted apart, and never as meaningful.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from studylib.metrics.comparisons import McNemar, mcnemar
from studylib.metrics.estimates import Estimate, at_the_edge
from studylib.metrics.intervals import difference_by, mean_by
from studylib.metrics.resampling import only

# verdict -> what it means, as it stands on a reader's sheet
VERDICTS = {
    "meaningful": "The colour lies on what decides the class in this photograph, and covers it.",
    "out_of_region": "The highest colour lies off the region of interest: the landmark, such as the os, is not marked.",
    "insufficient_coverage": (
        "The colour lies on the region of interest but does not cover it: its border stays inside the squamocolumnar "
        "junction, not close to it."
    ),
    "wrong_label": "The class that is given for this photograph is wrong in your opinion. No fault of the map.",
    "bad_image": "The photograph is blurred, or does not show the whole cervix. No fault of the map.",
}
MAP_FAULTS = ("out_of_region", "insufficient_coverage")
IMAGE_FAULTS = ("wrong_label", "bad_image")
UNDEFINED = "undefined"
FLAGS = ("meaningful", "misplaced", "map_fault", *MAP_FAULTS, *IMAGE_FAULTS)
PAIR = ("image", "group", "repeat", "reader")  # of these columns those that are there name one photograph shown once


def words(verdict: str) -> str:
    """A verdict as words."""
    return verdict.replace("_", " ")


def flagged(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column for each of FLAGS: 1, 0, or NaN where there is no verdict. Raises ValueError for a
    verdict that is none of VERDICTS.
    """
    verdict = only(table, "verdict").fillna("").astype(str)
    judged = ~verdict.isin(("", UNDEFINED))
    unknown = sorted(set(verdict[judged]) - set(VERDICTS))
    if unknown:
        raise ValueError(f"no such verdict: {', '.join(unknown)}; known: {', '.join(VERDICTS)}, {UNDEFINED}")
    named = {name: verdict == name for name in VERDICTS}
    named["misplaced"] = verdict.isin(MAP_FAULTS + IMAGE_FAULTS)  # the source's word, 4.3
    named["map_fault"] = verdict.isin(MAP_FAULTS)
    return table.assign(**{name: named[name].astype(float).where(judged) for name in FLAGS})


def counted(table: pd.DataFrame, by: str = "method") -> pd.DataFrame:
    """Exact numbers, a row a method: maps, each verdict, undefined; then `misplaced` (all four faults) and `map_fault`
    (the first two), how many were `judged`, and shares of these.
    """
    rows = flagged(table)
    numbers = rows.groupby(by, sort=False)[[*VERDICTS, "misplaced", "map_fault"]].sum().astype(int)
    maps, judged = (rows.groupby(by, sort=False)["misplaced"].agg(kind) for kind in ("size", "count"))
    found = pd.concat([maps.rename("maps"), numbers[list(VERDICTS)], (maps - judged).rename(UNDEFINED)], axis=1)
    found = found.assign(misplaced=numbers["misplaced"], map_fault=numbers["map_fault"], judged=judged)
    shares = {f"{name}_share": numbers[name] / judged.where(judged > 0) for name in ("misplaced", "meaningful")}
    return found.assign(**shares)


def pairs(table: pd.DataFrame, a: str, b: str, flag: str = "misplaced") -> pd.DataFrame:
    """The same photographs by two methods: PAIR's columns, a and b, 1 or 0; rows where either has no verdict are left
    out. Raises ValueError for a method that is not there, or that judges a photograph twice.
    """
    keys = [name for name in PAIR if name in table]
    sides = []
    for name, method in (("a", a), ("b", b)):
        rows = flagged(table[only(table, "method") == method])
        if rows.empty:
            known = ", ".join(map(str, table["method"].unique()))
            raise ValueError(f"no verdict on the method '{method}'; the table has {known}")
        if rows.duplicated(keys).any():
            twice = rows.loc[rows.duplicated(keys), "image"].iloc[0]
            raise ValueError(f"'{method}' has two verdicts on {twice}: a pair needs one ({', '.join(keys)} tell apart)")
        sides.append(rows[[*keys, flag]].rename(columns={flag: name}))
    return sides[0].merge(sides[1], on=keys).dropna(subset=["a", "b"]).reset_index(drop=True)


def compared(table: pd.DataFrame, a: str, b: str, flag: str = "misplaced") -> McNemar:
    """McNemar's exact test by image: how many photographs only a, only b has misplaced (or `flag`), and p.

    It takes photographs as independent: with two of a woman it is too sure, `difference` is the comparison then.
    """
    rows = pairs(table, a, b, flag)
    return mcnemar(rows["a"].to_numpy() > 0, rows["b"].to_numpy() > 0)


def difference(table: pd.DataFrame, a: str, b: str, flag: str = "misplaced", **how) -> Estimate:
    """Share misplaced (or `flag`) by a minus by b, paired by image, networks or readers averaged; interval and p over
    groups. how: arguments of `difference_by`.
    """
    rows = pairs(table, a, b, flag)
    alone = [name for name in ("image", "group") if name in rows]
    rows = rows.groupby(alone, as_index=False)[["a", "b"]].mean()
    return difference_by(rows, "a", "b", **{"how": f"{words(flag)}, {a} minus {b}, paired by image"} | how)


def rates(table: pd.DataFrame, prefix: str = "placement", **how) -> dict[str, Estimate]:
    """For each method the share of meaningful, misplaced, out of region and insufficiently covering maps, with an
    interval over groups; `<prefix>.<method>.<flag>`. how: arguments of `mean_by`.
    """
    rows, found = flagged(table), {}
    for method in rows["method"].unique():
        some = rows[rows["method"] == method]
        for flag in ("meaningful", "misplaced", *MAP_FAULTS):
            text = {"how": f"share {words(flag)}, {method}"} | how
            found[f"{prefix}.{method}.{flag}"] = at_the_edge(mean_by(some, flag, **text))
    return found


def one_sided(table: pd.DataFrame) -> pd.DataFrame:
    """Photographs that one map's verdict calls badly labelled or bad and another's does not: a fault of the photograph
    is the same for every map of it. -> the rows of those photographs
    """
    keys = [name for name in PAIR if name in table]
    fault = table["verdict"].isin(IMAGE_FAULTS).astype(float)
    share = fault.groupby([table[name] for name in keys]).transform("mean")
    return table[np.asarray((share > 0) & (share < 1))]
