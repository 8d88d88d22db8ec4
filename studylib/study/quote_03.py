"""The paragraph of study 3 that may be quoted, every number of it from the records of the run."""

from __future__ import annotations

from studylib.metrics.estimates import counted
from studylib.study.quote_04 import number, share, told
from studylib.study.study import Study


def quotable(study: Study) -> str:
    """What heads on pyramid features and their maps are worth, in words that a reader can repeat; says what the images
    stand in for.
    """
    m = study.metrics
    where = (
        "On phantoms of the cervix, whose numbers are no clinic's,"
        if study.data == "phantom"
        else "On a stand-in (photographs of 95 women after acetic acid, Swede score of 5 or more; nobody knows whether "
        "they were treatable),"
    )
    acc, over = m["accuracy.group.p3p6p7.test"], m["heads.p3p6p7_minus_majority.accuracy"]
    gap, less = m["loc.crm_minus_cam.iou_matched"], m["area.crm.reduction"]
    text = (
        f"{where} a linear head on the frozen pyramid levels P3, P6 and P7 is right in {share(acc)} of the images "
        f"({counted(acc.groups, study.unit)}), {number(over)} more than always naming the commonest class; among the "
        f"31 choices of levels it ranks {m['subsets.p3p6p7.rank'].value:.0f}. CRM as printed is the sum of the two "
        f"classes' squared class activation maps: its region at 20 % of the maximum is smaller by {share(less)}, and "
        f"at one area it differs from CAM by {number(gap)} in IoU with what it should find (CRM minus CAM): "
        f"{told(gap)}."
    )
    if "blur.k49.accuracy_drop" in m:
        text += (
            f" A blur of (49, 49) at 1,200 pixels takes {number(m['blur.k49.accuracy_drop'])} of the accuracy away; "
            f"a head that saw blurred training images regains {share(m['remedy.k49.share_regained'])} of that."
        )
    return text
