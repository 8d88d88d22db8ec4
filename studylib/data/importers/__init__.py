"""Importers: an owner's release, as it is unpacked, to a dataset folder in the layout of data/README.md."""
