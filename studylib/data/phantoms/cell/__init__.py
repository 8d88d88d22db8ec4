"""What a smear cell is made of: outlines, kinds, stains, and how it is painted."""
