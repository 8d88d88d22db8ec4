"""What a notebook shows: tables at three digits, figures with their captions, verdicts beside those of the real run."""

from __future__ import annotations

import csv
import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from studylib.metrics.intervals import Estimate
from studylib.study.marks import VERDICT_MARKS, spoken
from studylib.study.root import find_report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from studylib.study.settings import Settings
    from studylib.study.study import Study

STYLE = (
    "<style scoped>td,th{text-align:left!important;vertical-align:top;max-width:32em;white-space:normal;"
    "overflow-wrap:anywhere;min-width:6.8em}</style>"
)


def digits(value) -> str:
    """A number at three significant digits, whole numbers whole; text as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if value != value:
        return "undefined"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.3g}"


def on_page() -> bool:
    """Whether a notebook's kernel shows what this process prints."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None


def show_table(table: pd.DataFrame, title: str = "") -> None:
    """Show a table as HTML that wraps its text, with a title above it; plain text where there is no page."""
    if table.empty:
        show_text(f"*{title or 'This table'}: nothing in this run.*")
        return
    if not on_page():
        print("\n".join(text for text in (title, table.map(digits).to_string()) if text))
        return
    from IPython.display import HTML, display

    heading = f"<p><b>{html.escape(title)}</b></p>" if title else ""
    display(HTML(f"<div>{STYLE}{heading}{table_html(table)}</div>"))


def table_html(table: pd.DataFrame) -> str:
    """A table as HTML, numbers at three digits, row names that may break."""
    return breakable(table.map(digits).to_html(escape=True, border=0))


def breakable(table: str) -> str:
    """HTML of a table whose row names may break behind a dot or an underscore, before they break within a word."""
    return re.sub(r"<th>[^<]*</th>", lambda th: re.sub(r"(?<=\w[._])(?=\w)", "<wbr>", th[0]), table)


def show_text(markdown: str) -> None:
    """Show a computed sentence as a paragraph of the page."""
    if not on_page():
        print(markdown)
        return
    from IPython.display import Markdown, display

    display(Markdown(markdown))


def show_figure(fig: Figure, path: Path, caption: str, photographs: bool = False) -> None:
    """Save a figure as `save_figure` does and show it with its caption."""
    save_figure(fig, path, photographs)
    if on_page():
        from IPython.display import Image, display

        display(Image(filename=str(path.with_suffix(".png")), alt=caption))
    show_text(f"*{caption}*")


def save_figure(fig: Figure, path: Path, photographs: bool = False) -> None:
    """Save a figure as PATH.png and PATH.svg, the same bytes for the same figure, and close it. photographs: it shows
    some, whose grain a palette of 256 colours stores in a third of the bytes.
    """
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": path.name}):
        fig.savefig(path.with_suffix(".svg"), metadata={"Date": None}, bbox_inches="tight")
    fig.savefig(path.with_suffix(".png"), dpi=110, metadata={"Software": None}, bbox_inches="tight")
    plt.close(fig)
    if photographs:
        _in_few_colours(path.with_suffix(".png"))


def _in_few_colours(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def marked(verdict: str) -> str:
    """A verdict with its symbol, so that it does not rest on colour."""
    return f"{VERDICT_MARKS[verdict][0]} {verdict}"


def beside_real(now: pd.DataFrame, real_report: Path, data: str) -> pd.DataFrame:
    """This run's verdicts, and those of the committed run on real images. now: columns of verdicts.csv, by claim."""
    table = now[["topic", "statement", "stated", "verdict", "estimate", "reason"]].copy()
    table["verdict"] = [marked(verdict) for verdict in table["verdict"]]
    table = table.rename(columns={"verdict": f"this run ({data})", "estimate": "ours"})
    if data == "real":
        return table
    committed = real_report / "verdicts.csv"
    real = pd.Series("not run yet", index=table.index)
    if committed.is_file():
        rows = pd.read_csv(committed, dtype=str, keep_default_na=False).set_index("claim")
        real = (rows["verdict"].map(marked) + " (" + rows["evidence"] + ")").reindex(table.index).fillna("not judged")
    table.insert(4, "committed real run", real)
    return table


def headline_text(folder: Path, settings: Settings) -> str:
    """What came out of a report, as Markdown: verdicts counted, the figures that its settings name. folder: the
    report's.
    """
    content = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    with (folder / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        counts = Counter(row["verdict"] for row in csv.DictReader(file))
    told = ", ".join(f"{counts[word]} {word}" for word in VERDICT_MARKS if counts[word])
    lines = [
        f"**{spoken(content['data'], content['profile']).capitalize()}:** {told}, of {sum(counts.values())} statements."
    ]
    for metric, words in settings.headline.items():
        if metric in content["metrics"]:
            lines.append(f"- {words}: {Estimate.from_dict(content['metrics'][metric])}")
    return "\n".join(lines)


def opening_text(study: Study) -> str:
    """The first screen of a notebook: the claim, this run's data, and what the runs that are there came to."""
    told = [
        f"**Claimed:** {study.settings.claim}",
        f"**This run:** {spoken(study.data, study.profile_name)}, seed {study.seed}.",
    ]
    for run in dict.fromkeys((f"{study.data}-{study.profile_name}", "real-standard")):
        folder = find_report(study.root, run, study.name)
        if (folder / "verdicts.csv").is_file() and (folder / "metrics.json").is_file():
            told.append(headline_text(folder, study.settings))
    told.append("For research and teaching only, not for diagnosis.")
    return "\n\n".join(told)
