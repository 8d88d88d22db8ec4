"""Synthetic images whose truth was planted: what the label comes from is known for every one. See README.md beside this file."""
