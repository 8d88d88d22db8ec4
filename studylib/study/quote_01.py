"""The paragraph of study 1 that may be quoted, every number of it from the records of the run."""

from __future__ import annotations

from math import isfinite

from studylib.metrics.estimates import counted
from studylib.study.quote_04 import number, share, told
from studylib.study.study import Study


def quotable(study: Study) -> str:
    """What maps show on smear cells, in words that a reader can repeat; says so where the images are phantoms."""
    m = study.metrics
    cells = f"{m['counts.images'].value:,.0f}"
    where = (
        "On phantoms, whose numbers are no clinic's,"
        if study.data == "phantom"
        else f"On the {cells} single cells of the Herlev set, tested on sessions that no network saw,"
    )
    gap, acc = m["primary.cam_minus_floor.auprc"], m["balanced_accuracy.group.main.test"]
    text = (
        f"{where} a network reaches a balanced accuracy of {number(acc)} ({counted(acc.groups, study.unit)}); the size "
        f"of the picture alone reaches {number(m['balanced_accuracy.group.size.test'])}, size with the colour of the "
        f"background {share(m['share_of_gain.size_and_background'])} of the network's gain over the commonest class "
        "without a look at the cell. "
        f"Its class activation map differs from the best floor that knows nothing of the network by {number(gap)} in "
        f"pixel AUPRC of the nucleus (map minus floor): {told(gap)}. On a network that ends in pooling and "
        "one linear layer Grad-CAM is the same map; Grad-CAM++ differs from it by "
        f"{number(m['loc.gradcampp_minus_gradcam.iou_matched'])} in IoU with the nucleus at its own area."
    )
    if "reveal.marker.cam.rate" in m:
        shown = ", ".join(
            f"{cue} {share(m[f'reveal.{cue}.cam.rate'])} (hidden in {share(m[f'hide.{cue}.cam.rate'])})"
            if isfinite(m[f"reveal.{cue}.cam.rate"].value)
            else f"{cue} in no picture that could be judged"
            for cue in ("marker", "either", "outside")
        )
        text += (
            f" Of cues that networks were known to rest on, CAM reveals: {shown}; a tint of the whole picture is told "
            f"from a clean network with an AUROC of {number(m['told_apart.stain.auroc'])}."
        )
    return text
