"""Which set is read by which importer."""

from __future__ import annotations

import difflib
import importlib
import inspect
from pathlib import Path

from studylib.data.dataset import DataError

# name of the set -> the function that reads its release: (source, target, allow_missing, say) -> the folder it wrote
IMPORTERS = {
    "annocerv": "studylib.data.importers.annocerv:import_annocerv",
    "brain_figshare": "studylib.data.importers.figshare:import_figshare",
    "cervix_types": "studylib.data.importers.mobileodt:import_mobileodt",
    "ham10000": "studylib.data.importers.ham10000:import_ham10000",
    "isic2017": "studylib.data.importers.isic2017:import_isic2017",
    "isic2018_task1": "studylib.data.importers.isic2018_task1:import_isic2018_task1",
    "isic2019": "studylib.data.importers.isic2019:import_isic2019",
    "pap_herlev": "studylib.data.importers.herlev:import_herlev",
    "sipakmed": "studylib.data.importers.sipakmed:import_sipakmed",
}


def import_release(
    name: str,
    source: str | Path,
    target: str | Path,
    *,
    allow_missing: bool = False,
    threshold: int | None = None,
    say=print,
) -> Path:
    """Bring an owner's release into our layout at `target`; `say` gets lines of progress. -> the folder.

    threshold: the value above which masks are lesion, for importers that take one. Raises DataError for a set that has
    no importer, naming the nearest, for a threshold that it does not take, and with every problem of the release.
    """
    if name not in IMPORTERS:
        near = difflib.get_close_matches(name, IMPORTERS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise DataError(f"no importer is called '{name}' (known: {', '.join(IMPORTERS)}){hint}")
    module, function = IMPORTERS[name].split(":")
    read = getattr(importlib.import_module(module), function)
    stated = {} if threshold is None else {"threshold": threshold}
    if stated and "threshold" not in inspect.signature(read).parameters:
        raise DataError(f"'{name}' has no masks that a threshold applies to: leave out --threshold")
    return read(Path(source), Path(target), allow_missing=allow_missing, say=say, **stated)
