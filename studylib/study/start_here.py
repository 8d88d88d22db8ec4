"""The tables of the first notebook: the studies, how a verdict is read, what a map costs, what the example teaches."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from studylib.metrics.intervals import Estimate
from studylib.study.marks import EVIDENCE, VERDICT_MARKS, spoken
from studylib.study.overview import Overview
from studylib.study.settings import load_settings, studies
from studylib.study.which_map_06 import cost_of

CANDIDATES = {
    "studylib": "studylib",
    "studylib+prepare": "studylib, prepared",
    "studylib+prepare bf16": "studylib, prepared, bf16",
    "torchcam": "torchcam",
    "pytorch-grad-cam": "pytorch-grad-cam",
    "captum": "Captum",
}
BENCHED = {"gradcam": "Grad-CAM", "all": "all that it has, together", "scorecam": "Score-CAM, over its own passes"}


def studies_table(overview: Overview) -> pd.DataFrame:
    """One row a study: what its source claims, and which runs of it are here with how many statements reproduced."""
    rows = []
    for number in studies(overview.root):
        settings = load_settings(number, overview.root)
        here = [report for report in overview.reports if report.study == number]
        held = [sum(row["verdict"] == "reproduced" for row in report.verdicts) for report in here]
        told = [
            f"{spoken(r.data, r.profile)}: {n} of {len(r.verdicts)} reproduced" for r, n in zip(here, held, strict=True)
        ]
        rows.append({"study": number, "asks": settings.title, "its source claims": settings.claim,
                     "runs that are here": "; ".join(told) or "none yet"})  # fmt: skip
    return pd.DataFrame(rows).set_index("study")


def reports_table(overview: Overview) -> pd.DataFrame:
    """One row a report: study, run, images, how many numbers and statements, the commit that made it."""
    rows = [
        {"study": r.study, "run": spoken(r.data, r.profile), "images": str(r.dataset.get("name", "")),
         "numbers": len(r.metrics), "statements": len(r.verdicts),
         "commit": str(r.provenance.get("commit", "unknown"))[:8]}
        for r in overview.reports
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("study")


def verdict_key() -> pd.DataFrame:
    """The five verdicts with their signs and meanings."""
    rows = [{"verdict": f"{sign} {word}", "when": meaning} for word, (sign, meaning) in VERDICT_MARKS.items()]
    return pd.DataFrame(rows).set_index("verdict")


def evidence_key() -> pd.DataFrame:
    """What a verdict can rest on."""
    return pd.DataFrame({"evidence": list(EVIDENCE), "what it is": list(EVIDENCE.values())}).set_index("evidence")


def cost_table(root: Path) -> pd.DataFrame:
    """Time of maps over a forward pass, a row a library; empty where no benchmark is there."""
    found = cost_of(root)
    rows = {
        title: {words: found[name].get(methods, "–") for methods, words in BENCHED.items()}
        for name, title in CANDIDATES.items()
        if name in found
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("library")


def lesson(metrics: dict[str, Estimate], scored: pd.DataFrame) -> str:
    """What the example teaches, from its numbers."""
    flat = int(scored["cam"].isna().sum())
    own, lot = metrics["example.cam.auprc"], metrics["example.random_weights.auprc"]
    gap = metrics["example.cam_minus_random_weights.auprc"]
    told = (
        "random weights do better" if gap.high < 0 else "the network does better" if gap.low > 0
        else "the two cannot be told apart"
    )  # fmt: skip
    bright = metrics["example.brightest.auprc"]
    return (
        f"**The map is exact, and yet** on {flat} of {len(scored)} pictures it marks nothing at all; on the others it "
        f"finds the lesion with an AUPRC of {own.value:.2f}, brightness alone with {bright.value:.2f}, random weights "
        f"with {lot.value:.2f} (map minus random weights, where both exist: {gap}: {told}). Being right about the "
        "network and being at the lesion are two things; each needs its own measurement."
    )
