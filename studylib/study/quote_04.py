"""The paragraph of study 4 that may be quoted, every number of it from the records of the run."""

from __future__ import annotations

from collections.abc import Sequence

from studylib.metrics.estimates import Estimate, counted
from studylib.study.study import Study


def quotable(study: Study, classes: Sequence[str]) -> str:
    """What a map is worth as a segmenter, in words that a reader can repeat; says so where the images are phantoms."""
    m = study.metrics
    where = (
        "On phantoms, whose numbers are no clinic's,"
        if study.data == "phantom"
        else f"On {m['counts.images'].value:,.0f} contrast-enhanced T1 slices (Cheng's set),"
    )
    iou, most = m["iou.group.cam.p95"], m["attainable.mean.all"]
    gap = m["primary.cam_minus_floor.iou"]
    missed = ", ".join(f"{share(m[f'share_below_001.{name}'])} of {plural_of(name)}" for name in classes)
    text = (
        f"{where} a network that names the tumour of people it never saw in {share(m['accuracy.group.main.test'])} of "
        f"slices has a class activation map whose highest 5 % overlap the tumour with a mean IoU of {number(iou)} "
        f"({iou.n} slices named right, {counted(iou.groups, study.unit)}). No mask of 5 % could reach more than "
        f"{number(most)} on average, since few tumours cover just that share. The floor that validation slices chose, "
        f"which knows nothing of the network, differs from the map by {number(gap)} in IoU (map minus floor): "
        f"{told(gap)}. The map misses {missed} altogether."
    )
    if "unet.group.iou" in m:
        text += f" A small U-Net that was told the outlines reaches {number(m['unet.group.iou'])}."
    if "occlusion.class_survives" in m:
        text += (
            f" With the tumour painted over, {share(m['occlusion.class_survives'])} of slices keep their class "
            f"({share(m['occlusion.class_survives_control'])} where the same shape is painted over elsewhere): a map "
            "that does not mark the tumour is not always wrong about the network."
        )
    return text


def told(gap: Estimate) -> str:
    """What a difference of map and floor says."""
    if gap.low > 0:
        return "the map does better"
    return "the map does worse" if gap.high < 0 else "no difference is shown"


def number(e: Estimate) -> str:
    """A value and its interval, three digits."""
    return f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]"


def share(e: Estimate) -> str:
    """A share as per cent with its interval."""
    return f"{100 * e.value:.0f} % [{100 * e.low:.0f}, {100 * e.high:.0f}]"


def plural_of(name: str) -> str:
    """Several tumours of a class: an adjective needs its noun."""
    return f"{name} tumours" if name.endswith("ary") else f"{name}s"
