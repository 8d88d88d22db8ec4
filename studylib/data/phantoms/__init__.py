"""Synthetic images whose truth was planted: what their label comes from is known. See README.md beside this file."""
