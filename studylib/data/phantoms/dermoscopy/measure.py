"""Attributes of a lesion as they are known, from which words about it are judged: place, size, shape, how dark."""

from __future__ import annotations

import cv2
import numpy as np

from studylib.data.phantoms.dermoscopy.kinds import Lesion


def attributes(mask: np.ndarray, image: np.ndarray, lesion: Lesion) -> dict[str, str]:
    """Numbers of what is seen of a lesion, text for a table; "" where nothing is.

    mask: bool (H, W), of all lesions; image: uint8 (H, W, 3). area: share of the picture; centroid_x, centroid_y: 0..1
    from the left and the top. eccentricity (of the ellipse of the same second moments), solidity (share of the convex
    hull): of the largest component. darkness: 1 less the mean of the pixels' largest channel. border_irregularity,
    asymmetry: of the (first) lesion, as they were planted.
    """
    found = dict.fromkeys(("area", "eccentricity", "solidity", "centroid_x", "centroid_y", "darkness"), "")
    if mask.any():
        height, width = mask.shape
        moments, largest = cv2.moments(mask.astype(np.uint8), True), _largest(mask)
        values = {
            "area": mask.mean(),
            "eccentricity": eccentricity(largest),
            "solidity": solidity(largest),
            "centroid_x": (moments["m10"] / moments["m00"] + 0.5) / width,
            "centroid_y": (moments["m01"] / moments["m00"] + 0.5) / height,
            "darkness": 1 - image[mask].max(-1).mean() / 255,
        }
        found = {name: f"{value:.4f}" for name, value in values.items()}
    return found | {"border_irregularity": f"{lesion.irregularity:.4f}", "asymmetry": f"{lesion.asymmetry:.4f}"}


def eccentricity(mask: np.ndarray) -> float:
    """Of the ellipse with a mask's second moments, a pixel being a square: 0 of a disc, near 1 of a line."""
    m = cv2.moments(mask.astype(np.uint8), True)
    spread = np.array([[m["mu20"], m["mu11"]], [m["mu11"], m["mu02"]]]) / m["m00"] + np.eye(2) / 12
    least, most = np.linalg.eigvalsh(spread)
    return float(np.sqrt(1 - least / most))


def solidity(mask: np.ndarray) -> float:
    """Share of a mask in its convex hull, both in pixels."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.vstack(found)), 1)
    return float(mask.sum() / hull.sum())


def _largest(mask: np.ndarray) -> np.ndarray:
    """The largest component of a mask, pixels touching by a corner counting as joined."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return parts == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
