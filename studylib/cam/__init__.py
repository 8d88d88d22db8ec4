"""Class activation maps: `explain` gives maps from one forward and one backward, `regions` makes regions of them."""

from studylib.cam.engine import Explanation, explain
from studylib.cam.formulas import METHODS
from studylib.cam.prepare import prepare

__all__ = ["METHODS", "Explanation", "explain", "prepare"]
