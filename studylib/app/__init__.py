"""The viewer: one image, one trained network, its maps beside what they must beat, on a page in the browser."""
