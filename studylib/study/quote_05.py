"""The paragraph of study 5 that may be quoted, every number of it from the records of the run."""

from __future__ import annotations

from studylib.metrics.estimates import counted
from studylib.study.quote_04 import number, share, told
from studylib.study.study import Study


def quotable(study: Study) -> str:
    """What maps, confidence and words are worth on skin lesions; says so where the images are phantoms."""
    m = study.metrics
    images = f"{m['counts.images'].value:,.0f}"
    where = (
        "On phantoms, whose numbers are no clinic's,"
        if study.data == "phantom"
        else f"On {images} dermoscopic images of HAM10000, tested on lesions that no network saw,"
    )
    acc, pair = m["balanced_accuracy.group.main.test"], m["loc.gradcampp_minus_gradcam.iou_matched"]
    floor, words = m["loc.gradcampp_minus_chosen_floor.iou_matched"], m["words.all.map_vs_mask.rate"]
    text = (
        f"{where} a network reaches a balanced accuracy of {number(acc)} ({counted(acc.groups, study.unit)}), "
        f"{number(m['accuracy.main_minus_majority'])} in accuracy above always saying the commonest class. Its stated "
        f"confidence is off by {number(m['calibration.group.ece'])} as trained and by "
        f"{number(m['calibration.group.ece_scaled'])} with one temperature. Grad-CAM++ minus Grad-CAM in IoU with the "
        f"lesion at its own area is {number(pair)}: {told(pair)}; minus the best floor that knows nothing of the "
        f"network, chosen on validation images, {number(floor)}: {told(floor)}. Of the words that a text engine says "
        f"of the map, {share(words)} are those of the true outline; a disc in the middle, which sees nothing, says the "
        f"true place in {share(m['words.place.disc_vs_mask.rate'])} and the true size in "
        f"{share(m['words.size.disc_vs_mask.rate'])}, the map in {share(m['words.place.map_vs_mask.rate'])} and "
        f"{share(m['words.size.map_vs_mask.rate'])}."
    )
    if "peak.ruler.gradcampp.rate" in m:
        text += (
            f" Of pictures in which a network rests on a ruler, Grad-CAM++ peaks on it in "
            f"{share(m['peak.ruler.gradcampp.rate'])}; the text warns in {share(m['words.ruler.warned.rate'])}."
        )
    return text
