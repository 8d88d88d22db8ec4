"""Images, labels, groups and masks on disk; splits by group; transforms; phantoms; importers.

It uses nothing else of studylib. Nothing is imported here: ``from studylib.data.dataset import load_dataset`` costs
what it needs and no more.
"""
