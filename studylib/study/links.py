"""Links of the index page: relative to it, and only to what is there and may be shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from studylib.study.sections import Section
    from studylib.study.site import Report


def href(path: Path, folder: Path) -> str:
    """A file's address relative to the folder of the page."""
    return escape(quote(path.relative_to(folder).as_posix()))


def notebook_page(runs: Iterable[Report]) -> Path | None:
    """The executed notebook as HTML of the leading run on phantoms: on real images it shows patients."""
    pages = (report.folder / f"{report.name}.html" for report in runs if report.data != "real")
    return next((page for page in pages if page.is_file()), None)


def section_address(page: Path | None, section: Section | None, folder: Path) -> str:
    """The address of a section in a notebook's page; of the page where it lacks the section; "" without a page."""
    if page is None:
        return ""
    stands = section is not None and section.anchor in anchors(page, page.stat().st_mtime_ns)
    return href(page, folder) + (f"#{escape(section.anchor)}" if stands else "")


@lru_cache(maxsize=64)
def anchors(page: Path, stamp: int) -> frozenset[str]:
    """The ids of the headings of a notebook's page. stamp: when it was written, so that a new one is read again."""
    text = page.read_text(encoding="utf-8")
    return frozenset(re.findall(r'<h[1-6][^>]*\bid="([^"]+)"', text))
