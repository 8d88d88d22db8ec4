"""The numbers that study 3's source prints, recomputed: test-set sizes, confusion matrices, and what they can decide.

Constants are the source's, each with the place where it stands; everything else follows. Positive is "not treatable".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from studylib.metrics.comparisons import mcnemar
from studylib.metrics.estimates import Estimate, exact

TREATABLE, NOT_TREATABLE = 729, 304  # section 2
TABLE_2 = {  # accuracy and F1 by last convolutional layer
    "P3": (0.7440, 0.6241), "P4": (0.6748, 0.5315), "P5": (0.7184, 0.5672), "P6": (0.8116, 0.7111),
    "P7": (0.7573, 0.6212), "P3+P6+P7": (0.8647, 0.7586), "P3..P7": (0.8495, 0.7156),
}  # fmt: skip
RETINANET = 0.8011  # section 4.1, accuracy of the detector
TABLE_4 = {19: 0.6715, 49: 0.3632}  # accuracy of P3+P6+P7 under Gaussian blur by kernel size
STATED_DROP = 50.15  # section 4.4, called per cent
REVIEWED = 897  # section 4.3, maps of correctly classified images
MISPLACED = {"CRM": 74, "CAM": 83}  # section 4.3, of those reviewed

BEST, RIVALS = "P3+P6+P7", ("P3..P7", "P6", "RetinaNet")
IMAGES = TREATABLE + NOT_TREATABLE
SIZES = range(150, 261)  # test sets from 15 to 25 % of the images; 20 % is 207
TEST, TEST_POSITIVES = 207, 61  # 20 % of all, and of the 304
SWAPPED = 0.3623  # 36.32 % with two digits exchanged
READINGS = ("positive", "treatable", "macro", "weighted")  # what "F1-score" may mean


def prints(value: np.ndarray | float, printed: float, digits: int = 4) -> np.ndarray | bool:
    """Return whether values are printed as `printed` with so many decimals; a half may go either way."""
    return np.abs(np.asarray(value) - printed) <= 0.5 * 10**-digits + 1e-12


def fitting(printed: float, sizes: Iterable[int] = SIZES) -> dict[int, list[int]]:
    """Return, for each test-set size n that fits, the counts k whose k/n is printed so: {n: [k]}."""
    found = {n: np.flatnonzero(prints(np.arange(n + 1) / n, printed)).tolist() for n in sizes}
    return {n: counts for n, counts in found.items() if counts}


def printed_accuracies() -> dict[str, float]:
    """Return every accuracy of the source, and the reading of the last one with two digits exchanged."""
    found = {name: accuracy for name, (accuracy, _) in TABLE_2.items()} | {"RetinaNet": RETINANET}
    return found | {f"blur {kernel}": accuracy for kernel, accuracy in TABLE_4.items()} | {"blur 49, 36.23?": SWAPPED}


def sizes_table() -> pd.DataFrame:
    """Which test-set sizes make each printed accuracy a k/n, and k at 206, 207 and all 1,033 images (0: none)."""
    rows = {}
    for name, printed in printed_accuracies().items():
        found = fitting(printed, [*SIZES, IMAGES])
        k = {f"k at {n}": found.get(n, [0])[0] for n in (206, TEST, IMAGES)}
        rows[name] = {"printed": printed, "n that fit": ", ".join(str(n) for n in found if n in SIZES), **k}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def shared_sizes() -> pd.DataFrame:
    """How many of the printed accuracies each test-set size makes a k/n, most first."""
    fits = {name: fitting(printed) for name, printed in printed_accuracies().items()}
    rows = {n: [name for name, found in fits.items() if n in found] for n in SIZES}
    table = pd.DataFrame({n: {"accuracies": len(names), "which": "; ".join(names)} for n, names in rows.items()}).T
    table = table.rename_axis("n").astype({"accuracies": int})
    return table[table["accuracies"] > 0].sort_values("accuracies", ascending=False, kind="stable")


def matrices(n: int, accuracy: float, f1: float, reading: str = "positive") -> pd.DataFrame:
    """Every confusion matrix of n images that prints both numbers: columns positives, tp, fn, fp, tn.

    reading: F1 of the positive class, of "treatable", their mean, or their mean by class size. ValueError for another.
    """
    if reading not in READINGS:
        raise ValueError(f"reading is '{reading}'; F1 is read as one of {', '.join(READINGS)}")
    tables = []
    for right in fitting(accuracy, [n]).get(n, []):
        wrong = n - right
        positives, fn = (a.ravel() for a in np.meshgrid(np.arange(1, n), np.arange(wrong + 1), indexing="ij"))
        table = pd.DataFrame({"positives": positives, "tp": positives - fn, "fn": fn, "fp": wrong - fn})
        table["tn"] = n - table["positives"] - table["fp"]
        table = table[(table["tp"] >= 0) & (table["tn"] >= 0)]
        each = {"positive": 2 * table["tp"] / (2 * table["tp"] + wrong),
                "treatable": 2 * table["tn"] / (2 * table["tn"] + wrong)}  # fmt: skip
        share = {"positive": 1.0, "treatable": 0.0, "macro": 0.5, "weighted": table["positives"] / n}[reading]
        tables.append(table[prints(share * each["positive"] + (1 - share) * each["treatable"], f1)])
    empty = pd.DataFrame(columns=["positives", "tp", "fn", "fp", "tn"], dtype=int)
    return pd.concat(tables, ignore_index=True) if tables else empty


def matrices_table(sizes: Sequence[int] = (205, 206, 207, 208), positives: tuple[int, int] = (50, 75)) -> pd.DataFrame:
    """For each size and model: true positives, least and most positives of the matrices that print accuracy and F1 of
    "not treatable" (0: none), and how many print another reading of F1 with `positives` from .. to images.
    """
    rows = []
    for n in sizes:
        for name, (accuracy, f1) in TABLE_2.items():
            ours = matrices(n, accuracy, f1)
            row = {"n": n, "model": name, "tp": ours["tp"].min(), "positives from": ours["positives"].min(),
                   "positives to": ours["positives"].max(), "different tp": ours["tp"].nunique()}  # fmt: skip
            row |= {r: int(matrices(n, accuracy, f1, r)["positives"].between(*positives).sum()) for r in READINGS[1:]}
            rows.append(row)
    return pd.DataFrame(rows).fillna(0).set_index(["n", "model"]).astype(int)


def likely_matrices(positives: Sequence[int] = (60, 61, 62)) -> pd.DataFrame:
    """The matrices of table 2 with so many positives (20 % of 304 is 61), with what they say of each model."""
    tables = []
    for name, (_, n) in right_of().items():
        if name in TABLE_2:
            table = matrices(n, *TABLE_2[name])
            tables.append(table[table["positives"].isin(positives)].assign(model=name, n=n))
    table = pd.concat(tables).set_index(["model", "n", "positives"]).sort_index()
    sensitivity, specificity = table["tp"] / (table["tp"] + table["fn"]), table["tn"] / (table["tn"] + table["fp"])
    balanced = (sensitivity + specificity) / 2
    return table.assign(sensitivity=sensitivity, specificity=specificity, balanced_accuracy=balanced)


def implied_rates() -> pd.DataFrame:
    """Rates that follow from accuracy and F1 if the test set has the prevalence of all images, no counts rounded."""
    share = NOT_TREATABLE / IMAGES
    accuracy, f1 = (pd.Series({name: pair[i] for name, pair in TABLE_2.items()}) for i in (0, 1))
    tp = f1 * (1 - accuracy) / (2 * (1 - f1))  # F1 = 2 TP / (2 TP + errors)
    fp = 1 - accuracy - (share - tp)
    sensitivity, specificity = tp / share, 1 - fp / (1 - share)
    return pd.DataFrame({"tp": tp, "sensitivity": sensitivity, "specificity": specificity, "precision": tp / (tp + fp),
                         "balanced_accuracy": (sensitivity + specificity) / 2}).rename_axis("model")  # fmt: skip


def right_of() -> dict[str, tuple[int, int]]:
    """Correct images and test-set size of every accuracy: 207 or 206, whichever fits; RetinaNet's fits neither and is
    the nearest of 207, blur 49 is read as 36.23 %.
    """
    found = {}
    for name, printed in printed_accuracies().items():
        fits = fitting(SWAPPED if name == "blur 49" else printed, (TEST, 206))
        n, counts = next(iter(fits.items()), (TEST, [round(printed * TEST)]))
        found[name] = (counts[0], n)
    del found["blur 49, 36.23?"]
    return found


def wilson(right: int, n: int) -> Estimate:
    """Return right/n with Wilson's 95 % interval and the one-sided p that it is not above the majority class."""
    majority = TREATABLE / IMAGES
    interval = stats.binomtest(right, n).proportion_ci(method="wilson")
    p = stats.binomtest(right, n, majority, alternative="greater").pvalue
    text = f"{right} of {n}, Wilson's interval; one-sided binomial p against always 'treatable' ({majority:.4f})"
    return Estimate(right / n, float(interval.low), float(interval.high), n, n, "image", text, float(p))


def accuracies_table() -> pd.DataFrame:
    """Every accuracy with its interval and p against the majority class; one test set, one run."""
    rows = {}
    for name, (k, n) in right_of().items():
        e = wilson(k, n)
        rows[name] = {"right": k, "n": n, "accuracy": e.value, "low": e.low, "high": e.high, "p above majority": e.p}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def fisher_p(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Return Fisher's exact two-sided p of two unpaired shares, each (right, n)."""
    return float(stats.fisher_exact([[a[0], a[1] - a[0]], [b[0], b[1] - b[0]]]).pvalue)


def paired_p(only_a: int, only_b: int) -> float:
    """Return McNemar's exact p where a alone is right on only_a images, b alone on only_b; NaN where none differs."""
    return mcnemar([True] * only_a + [False] * only_b, [False] * only_a + [True] * only_b).p


def comparisons_table(differing: int = 30, level: float = 0.05) -> pd.DataFrame:
    """The best model against its rivals: unpaired p, and what a paired test would say on the same images.

    nested: every image that the rival has right is right (the best case); then about `differing` images on which just
    one is right, one more where the parity asks for it; `decided up to`: most such images with p < level (0: never).
    The 2 x 2 table is not printed, so which of these holds cannot be known.
    """
    rows, best = {}, right_of()[BEST]
    for rival in RIVALS:
        other = right_of()[rival]
        gap = best[0] - other[0]
        among = differing + (differing - gap) % 2
        tried = [d for d in range(gap, TEST + 1, 2) if paired_p((d + gap) // 2, (d - gap) // 2) < level]
        rows[f"{BEST} against {rival}"] = {
            "gap in images": gap, "unpaired p": fisher_p(best, other), "paired p, nested": paired_p(gap, 0),
            "only best": (among + gap) // 2, "only rival": (among - gap) // 2,
            "paired p, those": paired_p((among + gap) // 2, (among - gap) // 2), "decided up to": max(tried, default=0),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("comparison")


def misplacement_table(shared: Sequence[int] = (74, 70, 60, 50, 40, 20, 0)) -> pd.DataFrame:
    """Paired p of 83 against 74 misplaced maps by how many images have both misplaced, which the source does not say.
    ValueError for more than 74 or fewer than 0.
    """
    most = min(MISPLACED.values())
    if not all(0 <= s <= most for s in shared):
        raise ValueError(f"shared is {list(shared)}; from 0 to {most} images can have both maps misplaced")
    rows = [(s, MISPLACED["CAM"] - s, MISPLACED["CRM"] - s) for s in shared]
    table = pd.DataFrame(rows, columns=["both misplaced", "only CAM", "only CRM"])
    p = [paired_p(cam, crm) for _, cam, crm in rows]
    return table.assign(**{"paired p": p}).set_index("both misplaced")


def misplacement_unpaired_p() -> float:
    """Return the pooled two-proportion z test's p of 83 against 74 of 897 (it takes the maps as unpaired)."""
    shares = [count / REVIEWED for count in MISPLACED.values()]
    pooled = sum(MISPLACED.values()) / (2 * REVIEWED)
    z = abs(shares[0] - shares[1]) / np.sqrt(2 * pooled * (1 - pooled) / REVIEWED)
    return float(2 * stats.norm.sf(z))


def blurred_matrices(positives: int = TEST_POSITIVES) -> pd.DataFrame:
    """Every matrix of 207 images with 75 right (blur 49): what it says of sensitivity and of the share called positive.
    None is excluded by the source: from a network that calls nearly all "not treatable" to one that calls a third so.
    """
    right, n = right_of()["blur 49"]
    tp = np.arange(max(0, right - (n - positives)), min(positives, right) + 1)
    tn = right - tp
    sensitivity, specificity = tp / positives, tn / (n - positives)
    called = (tp + n - positives - tn) / n
    columns = {"tn": tn, "sensitivity": sensitivity, "specificity": specificity,
               "balanced_accuracy": (sensitivity + specificity) / 2, "called positive": called}  # fmt: skip
    return pd.DataFrame(columns, index=pd.Index(tp, name="tp"))


def reviewed() -> dict[str, Estimate]:
    """The 897 of 1,033 reviewed maps: how many are of training images, and what that says of the training accuracy."""
    test = right_of()[BEST][0]
    train = REVIEWED - test
    found = {
        "reviewed.accuracy": exact(REVIEWED / IMAGES, n=IMAGES, how="897 of 1,033"),
        "reviewed.training.correct": exact(train, how=f"{REVIEWED} less {test} of the test set"),
        "reviewed.training.accuracy": exact(train / (IMAGES - TEST), n=IMAGES - TEST, how=f"{train} of the rest"),
        "reviewed.training.share": exact(train / REVIEWED, n=REVIEWED, how="reviewed maps of training images"),
    }
    return found | {
        f"reviewed.meaningful.{name.lower()}": exact(1 - k / REVIEWED, n=REVIEWED, how=f"{k} misplaced")
        for name, k in MISPLACED.items()
    }


def numbers() -> dict[str, Estimate]:
    """Everything above that a ledger may read, named `source.…`: counts and p values exact, accuracies with Wilson's
    interval.
    """
    seven = [fitting(accuracy) for accuracy, _ in TABLE_2.values()]
    best, drop = TABLE_2[BEST][0], 100 * (TABLE_2[BEST][0] - TABLE_4[49])
    called = blurred_matrices()["called positive"]
    found = {
        "majority.accuracy": exact(TREATABLE / IMAGES, n=IMAGES, how="always 'treatable'"),
        "all_positive.f1": exact(2 * NOT_TREATABLE / (2 * NOT_TREATABLE + TREATABLE), how="always 'not treatable'"),
        "sizes.fit_all_seven": exact(sum(all(n in fits for fits in seven) for n in SIZES), how="sizes n, table 2"),
        "sizes.fit_at_206": exact(sum(206 in fits for fits in seven), how="of seven accuracies"),
        "sizes.fit_at_207": exact(sum(TEST in fits for fits in seven), how="of seven accuracies"),
        "misplacement.unpaired_p": exact(misplacement_unpaired_p(), how="z test of 83 against 74 of 897"),
        "misplacement.all_shared_p": exact(misplacement_table([74])["paired p"].iloc[0], how="McNemar, 9 against 0"),
        "misplacement.none_shared_p": exact(misplacement_table([0])["paired p"].iloc[0], how="McNemar, 83 against 74"),
        "blur.k49.points": exact(drop, how="points of accuracy; the source says per cent"),
        "blur.k49.relative": exact(drop / best / 100, how="of the accuracy without blur"),
        "blur.k19.points": exact(100 * (best - TABLE_4[19]), how="points of accuracy"),
        "blur.k19.unpaired_p": exact(fisher_p(right_of()[BEST], right_of()["blur 19"]), how="Fisher"),
        "blur.k49.fits": exact(len(fitting(TABLE_4[49], (206, TEST))), how="of sizes 206 and 207 that print 36.32 %"),
        "blur.k49.called_least": exact(called.min(), how="least share called positive, 75 of 207 right"),
        "blur.k49.called_most": exact(called.max(), how="largest share called positive, 75 of 207 right"),
    }  # fmt: skip
    found |= _of_table_2()
    for name, (k, n) in right_of().items():
        found[f"accuracy.{_key(name)}"] = wilson(k, n)
    for name, row in comparisons_table().iterrows():
        rival = f"best_minus_{_key(str(name).split(' against ')[1])}"
        found[f"{rival}.unpaired_p"] = exact(row["unpaired p"], how=f"Fisher, {name}")
        found[f"{rival}.nested_p"] = exact(row["paired p, nested"], how=f"McNemar at its best, {name}")
        found[f"{rival}.decided_up_to"] = exact(row["decided up to"], how="images on which just one is right, p < .05")
    return {f"source.{name}": e for name, e in (found | reviewed()).items()}


def _of_table_2() -> dict[str, Estimate]:
    """Sizes with a matrix for each model's two numbers, models with one under each reading of F1, images, share."""
    sizes, found, fits = (205, 206, TEST, 208), {}, dict.fromkeys(READINGS, 0)
    for name, (accuracy, f1) in TABLE_2.items():
        with_one = sum(len(matrices(n, accuracy, f1)) > 0 for n in sizes)
        found[f"matrices.{_key(name).replace('_', '')}"] = exact(with_one, n=len(sizes), how=f"sizes, {name}")
        for reading in READINGS:
            likely = (matrices(n, accuracy, f1, reading)["positives"].between(50, 75).any() for n in sizes)
            fits[reading] += any(likely)
    text = "of seven models, a matrix of 205 to 208 images with 50 to 75 positives"
    found["f1_fits.positive"] = exact(fits["positive"], n=len(TABLE_2), how=f"{text}, F1 of not treatable")
    others = max(fits[reading] for reading in READINGS[1:])
    found["f1_fits.other"] = exact(others, n=len(TABLE_2), how=f"{text}, the other reading that fits most")
    share = exact(TEST / IMAGES, n=IMAGES, how=f"{TEST} of {IMAGES:,}")
    return found | {"images": exact(IMAGES, n=IMAGES, how="729 and 304"), "test_share": share}


def _key(name: str) -> str:
    return name.lower().replace("+", "_").replace("..", "_to_").replace(" ", "_")
