"""Measures of maps and of classifiers, one float64 per image, and the intervals that go with them."""
