"""Whether words from maps are true: against words of the true mask, and beside what needs no map.

A table holds a row an image (and repeat): image, group, and word_<attribute>_<kind> for kinds such as map, mask, disc
(a centred disc), random (a network with random weights), planted (a phantom's known attribute). An empty word is
undefined: such rows are left out of what needs it and counted. Rates average an image's repeats first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from studylib.metrics.classification import cohen_kappa
from studylib.metrics.estimates import Estimate, at_the_edge
from studylib.metrics.intervals import auroc_by, difference_by, mean_by, of_columns, statistic_by
from studylib.metrics.resampling import finite_rows, group_codes, only

FOLDS = 5


def agreements(
    table: pd.DataFrame, attributes: Sequence[str], *, truth: str = "mask", against: Sequence[str] = ("disc", "random"),
    common: Mapping[str, str] | None = None, prefix: str = "words", **how,
) -> dict[str, Estimate]:  # fmt: skip
    """How often words from maps are those of the truth, by attribute, and whether that beats words without a map.

    truth: the kind that is true ("mask", "planted"); against: kinds to compare with; common: attribute -> the most
    common word of training masks (None: of this table's own truth, which flatters that baseline); how: arguments of
    the intervals. Names, whatever comes out: <prefix>.<attribute>.map_vs_<truth>.rate and .kappa, the same for each of
    `against`, common_vs_<truth>.rate, map_minus_common.rate and map_minus_<against>.rate (paired), map_undefined.share;
    <prefix>.all.map_vs_<truth>.rate is the share of true words in a text. KeyError for a column that is missing.
    """
    found, flags = {}, []
    for name in attributes:
        true, head = _words(table, name, truth), f"{prefix}.{name}"
        kinds = {kind: _words(table, name, kind) for kind in ("map", *against)}
        word = common[name] if common is not None else _commonest(true)
        kinds["common"] = pd.Series(word, index=table.index, dtype=object)
        same = table.assign(**{kind: _same(words, true) for kind, words in kinds.items()})
        flags.append(same["map"])
        rows = _averaged(same, [*kinds], how)
        source = "training" if common is not None else "this table's own"
        for kind in kinds:
            text = f"share of images whose word for {name} is the {truth}'s, {kind}"
            text += f" ({source} most common word)" if kind == "common" else ""
            found[f"{head}.{kind}_vs_{truth}.rate"] = at_the_edge(mean_by(rows, kind, **{"how": text} | how))
            if kind != "common":  # one word for all has no agreement beyond chance
                found[f"{head}.{kind}_vs_{truth}.kappa"] = _kappa(table, kinds[kind], true, name, kind, truth, how)
                if kind != "map":
                    found[f"{head}.map_minus_{kind}.rate"] = _minus(rows, kind, name, how)
        found[f"{head}.map_minus_common.rate"] = _minus(rows, "common", name, how)
        missing = _averaged(table.assign(missing=kinds["map"].isna().astype(float)), ["missing"], how)
        text = {"how": f"share of maps without a word for {name}"} | how
        found[f"{head}.map_undefined.share"] = at_the_edge(mean_by(missing, "missing", **text))
    whole = _averaged(table.assign(true=pd.concat(flags, axis=1).mean(axis=1)), ["true"], how)
    text = {"how": f"share of a text's words that are the {truth}'s, over {len(attributes)} attributes"} | how
    found[f"{prefix}.all.map_vs_{truth}.rate"] = at_the_edge(mean_by(whole, "true", **text))
    return found


def unchanged(table: pd.DataFrame, attributes: Sequence[str], prefix: str = "words", **how) -> dict[str, Estimate]:
    """How often words stay the same when the network's weights are random (5.45): <prefix>.<attribute>.unchanged.share,
    and <prefix>.all.unchanged.share where every word of the text does. Reads the kinds map and random.
    """
    pairs = {name: (_words(table, name, "map"), _words(table, name, "random")) for name in attributes}
    each = pd.DataFrame({name: _same(*pair) for name, pair in pairs.items()}, index=table.index)
    silent = pd.DataFrame({name: first.isna() & second.isna() for name, (first, second) in pairs.items()})
    # a word that neither text has is the same in both; one that only one of them has is a change
    each["all"] = ((each == 1) | silent).all(axis=1).astype(float).where(~silent.all(axis=1))
    rows = _averaged(
        table.assign(**{f"same_{name}": each[name] for name in each}), [f"same_{name}" for name in each], how
    )
    found = {}
    for name in each:
        words = {"how": f"share unchanged when weights are random, {name}"} | how
        found[f"{prefix}.{name}.unchanged.share"] = at_the_edge(mean_by(rows, f"same_{name}", **words))
    return found


def contradictions(
    table: pd.DataFrame, contradicted: Mapping[str, Mapping[str, Sequence[str]]], *, kind: str = "map",
    prefix: str = "words.contradiction", **how,
) -> dict[str, Estimate]:  # fmt: skip
    """Share of texts whose class sentence contradicts a word of the same text (5.34).

    contradicted: class -> attribute -> words, as `Wording.contradicted` gives them; table: also `predicted`, the
    class's name. <prefix>.share over all texts, <prefix>.<class>.share over those of each class in `contradicted` that
    has such words. A text is undefined where the attribute has no word.
    """
    predicted = only(table, "predicted").astype(str)
    flag = pd.Series(0.0, index=table.index)
    for name, attributes in contradicted.items():
        here = (predicted == name).to_numpy()
        for attribute, words in attributes.items():
            said = _words(table, attribute, kind)
            flag[here & said.isin(list(words)).to_numpy()] = 1.0
            flag[here & said.isna().to_numpy() & (flag != 1.0).to_numpy()] = np.nan
    rows = table.assign(contradicts=flag)
    text = {"how": "share of texts whose class sentence contradicts their words"} | how
    found = {f"{prefix}.share": at_the_edge(mean_by(rows, "contradicts", **text))}
    for name in (name for name, attributes in contradicted.items() if attributes):
        some = rows[(predicted == name).to_numpy()]
        found[f"{prefix}.{name}.share"] = at_the_edge(mean_by(some, "contradicts", **text))
    return found


def informative(
    table: pd.DataFrame, attributes: Sequence[str], *, kind: str = "map", folds: int = FOLDS,
    prefix: str = "words.informative", **how,
) -> dict[str, Estimate]:  # fmt: skip
    """Whether words alone tell which class the network named (5.45): <prefix>.macro_auroc, chance 0.5.

    Logistic regression on one-hot words (an empty word is a word of its own), predicted for groups that it never saw.
    NaN with fewer than two classes or two groups.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    group = how.get("group", "group")
    words = pd.DataFrame({name: _words(table, name, kind).fillna("none") for name in attributes})
    x = pd.get_dummies(words).to_numpy(float)
    codes, names = group_codes(table, group)
    classes, y = np.unique(only(table, "predicted").astype(str), return_inverse=True)
    scores = np.zeros((len(table), max(len(classes), 2)))
    if len(names) < 2 or len(classes) < 2:
        scores[:] = np.nan
    else:
        for train, test in GroupKFold(min(folds, len(names))).split(x, y, codes):
            if len(np.unique(y[train])) < 2:
                scores[test, y[train][0]] = 1.0
                continue
            model = LogisticRegression(max_iter=1000).fit(x[train], y[train])
            scores[np.ix_(test, model.classes_)] = model.predict_proba(x[test])
    columns = [f"score_{k}" for k in range(scores.shape[1])]
    rows = table.assign(label=y, **dict(zip(columns, scores.T, strict=True)))
    text = "macro AUROC of the network's class from words alone, groups unseen, chance 0.5"
    return {f"{prefix}.macro_auroc": auroc_by(rows, "label", columns, **{"how": text} | how)}


def _words(table: pd.DataFrame, attribute: str, kind: str) -> pd.Series:
    """A column of words, None where empty."""
    column = only(table, f"word_{attribute}_{kind}").astype(object)
    return column.where(column.notna() & (column != ""), None)


def _same(first: pd.Series, second: pd.Series) -> np.ndarray:
    """1 where two words are the same, 0 where not, NaN where either is undefined."""
    both = first.notna().to_numpy() & second.notna().to_numpy()
    return np.where(both, (first == second).to_numpy(float), np.nan)


def _commonest(words: pd.Series) -> str | None:
    """The most common word, of equally common ones the first of the alphabet."""
    counts = words.dropna().value_counts()
    return min(counts.index[counts == counts.max()]) if len(counts) else None


def _averaged(table: pd.DataFrame, columns: list[str], how: Mapping) -> pd.DataFrame:
    """One row an image: the mean over its repeats."""
    group = how.get("group", "group")
    if "image" not in table:
        return table
    keys = list(dict.fromkeys(("image", group)))
    return table.groupby(keys, as_index=False, sort=False)[columns].mean()


def _kappa(table, said, true, name, kind, truth, how) -> Estimate:
    known = {word: code for code, word in enumerate(sorted(set(said.dropna()) | set(true.dropna())))}
    rows = table.assign(said=said.map(known).astype(float), true=true.map(known).astype(float))
    rows, _ = finite_rows(rows, ["said", "true"]) if len(known) else (rows, 0)
    text = f"Cohen's kappa of the word for {name}, {kind} and {truth}; {len(table) - len(rows)} undefined rows left out"
    rows = rows.astype({"said": int, "true": int}) if len(known) else rows
    return statistic_by(rows, of_columns(cohen_kappa, "said", "true"), **{"how": text} | how)


def _minus(rows: pd.DataFrame, kind: str, name: str, how: Mapping) -> Estimate:
    text = {"how": f"share of true words for {name}, map minus {kind}, paired by image"}
    return difference_by(rows, "map", kind, **text | dict(how))
