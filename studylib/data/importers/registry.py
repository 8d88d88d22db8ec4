"""Which set is read by which importer."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path

from studylib.data.dataset import DataError

# name of the set -> the function that reads its release: (source, target, allow_missing, say) -> the folder it wrote
IMPORTERS = {
    "annocerv": "studylib.data.importers.annocerv:import_annocerv",
    "brain_figshare": "studylib.data.importers.figshare:import_figshare",
    "cervix_types": "studylib.data.importers.mobileodt:import_mobileodt",
    "pap_herlev": "studylib.data.importers.herlev:import_herlev",
    "sipakmed": "studylib.data.importers.sipakmed:import_sipakmed",
}


def import_release(
    name: str, source: str | Path, target: str | Path, *, allow_missing: bool = False, say=print
) -> Path:
    """Bring an owner's release into our layout at `target`; `say` gets lines of progress. -> the folder.

    Raises DataError for a set that has no importer, naming the nearest, and with every problem of the release.
    """
    if name not in IMPORTERS:
        near = difflib.get_close_matches(name, IMPORTERS, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise DataError(f"no importer is called '{name}' (known: {', '.join(IMPORTERS)}){hint}")
    module, function = IMPORTERS[name].split(":")
    read = getattr(importlib.import_module(module), function)
    return read(Path(source), Path(target), allow_missing=allow_missing, say=say)
