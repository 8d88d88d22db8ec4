"""The pages of a review sheet: one a photograph and an index, each with its style and script inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from studylib.study.index import LIMITS, POLICY
from studylib.study.misplacement import IMAGE_FAULTS, VERDICTS, words
from studylib.study.review_files import SIDES

NO_SCRIPT = (
    '<p class="unscripted">Scripts are off here: write your verdicts into <code>verdicts.csv</code>, which lies beside '
    'this page (one row a map; the words of the table on the <a href="index.html">first page</a>).</p>'
)


@dataclass(frozen=True)
class Sheet:
    """What all pages share. name: the sheet's fingerprint, which ties verdicts to their key; cut: share of a map's
    maximum above which it is coloured; number: how many photographs.
    """

    name: str
    title: str
    question: str
    reasons: tuple[str, ...]
    cut: float
    number: int

    @property
    def images(self) -> list[str]:
        return [f"image{i:03d}" for i in range(1, self.number + 1)]


def index_page(sheet: Sheet) -> str:
    """Instructions, what each verdict means, the list of photographs, and the button that saves the verdicts."""
    links = "".join(
        f'<li><a data-step data-image="{image}" href="{image}.html">Photograph {number}</a></li>\n'
        for number, image in enumerate(sheet.images, 1)
    )
    body = f"""<header>
<p class="kicker">Review sheet</p>
<h1>{escape(sheet.title)}</h1>
<p class="lead">{escape(sheet.question)}</p>
<p class="limits">{LIMITS}</p>
</header>
<section aria-labelledby="how">
<h2 id="how">What to do</h2>
<ol>
<li>Each of the {sheet.number} pages shows a photograph and two maps over it, A and B. What they are is not told, and
changes from page to page. Judge each map by itself.</li>
<li>Choose one verdict for each map. A reason and a comment are welcome, not needed.</li>
<li>Your answers stay in this browser: you may stop, and go on later with the same browser.</li>
<li>When all are judged, come back to this page, save the verdicts, and send that one file.</li>
</ol>
<p>{_legend(sheet)}</p>
<p class="keys script" hidden>Keys: <kbd>1</kbd> to <kbd>{len(VERDICTS)}</kbd> answer for the first map without a
verdict, or for the one whose answers have the focus; <kbd>A</kbd> and <kbd>B</kbd> go to a map; <kbd>N</kbd> and
<kbd>P</kbd> to the next and the previous photograph.</p>
<p><a class="begin" data-step href="{sheet.images[0]}.html">Begin</a></p>
</section>
<section aria-labelledby="verdicts">
<h2 id="verdicts">What each verdict means</h2>
{_meanings()}
</section>
<section aria-labelledby="save" class="script" hidden>
<h2 id="save">Save your verdicts</h2>
<p id="progress" role="status" aria-live="polite"></p>
<button type="button" id="download">Save my verdicts as a file</button>
</section>
<section aria-labelledby="list">
<h2 id="list">The photographs</h2>
{NO_SCRIPT}
<ol class="photographs">
{links}</ol>
</section>"""
    return _document(sheet, sheet.title, body)


def image_page(sheet: Sheet, number: int, facts: Mapping[str, str], size: tuple[int, int]) -> str:
    """One photograph and its two maps. number: from 1; size: width and height of its pictures."""
    image = sheet.images[number - 1]
    views = [_photograph(sheet, image, facts, number, size)]
    views += [_map(sheet, image, letter, number, size) for letter in SIDES]
    offered = "".join(f'<option value="{escape(reason)}"></option>' for reason in sheet.reasons)
    body = f"""<header class="short">
<p class="kicker">{escape(sheet.title)}</p>
<h1>Photograph {number} of {sheet.number}</h1>
<p class="question">{escape(sheet.question)}</p>
</header>
{_steps(sheet, number, "Photographs")}
<div class="views">
{"".join(views)}
</div>
{NO_SCRIPT}
<p id="progress" role="status" aria-live="polite"></p>
{_steps(sheet, number, "Photographs, again")}
<datalist id="reasons">{offered}</datalist>"""
    return _document(sheet, f"Photograph {number} of {sheet.number}", body, image)


def _document(sheet: Sheet, title: str, body: str, image: str = "") -> str:
    here = files("studylib.study")
    style = "".join((here / name).read_text(encoding="utf-8") for name in ("index.css", "review.css"))
    script = (here / "review.js").read_text(encoding="utf-8")
    skip = "Skip to the maps" if image else "Skip to the instructions"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body data-sheet="{sheet.name}" data-number="{sheet.number}" data-image="{image}">
<a class="skip" href="#main">{skip}</a>
<main id="main" tabindex="-1">
{body}
</main>
<footer><p>Sheet <code>{sheet.name}</code></p></footer>
<script>
{script}</script>
</body>
</html>
"""


def _picture(name: str, alt: str, size: tuple[int, int]) -> str:
    return f'<img src="images/{name}.png" alt="{alt}" width="{size[0]}" height="{size[1]}">'


def _photograph(sheet: Sheet, image: str, facts: Mapping[str, str], number: int, size: tuple[int, int]) -> str:
    """The photograph alone, what is known of it, and what colours and verdicts mean."""
    told = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in facts.items())
    return f"""<section class="view"><h2>Photograph</h2>{_picture(image, f"Photograph {number}", size)}
{f'<dl class="facts">{told}</dl>' if told else ""}
<p class="scale">{_legend(sheet)}</p>
<details><summary>What each verdict means</summary>
{_meanings()}
</details></section>
"""


def _map(sheet: Sheet, image: str, letter: str, number: int, size: tuple[int, int]) -> str:
    """A map with the form that judges it; without a script the form stays hidden, since nothing would keep it."""
    picture = _picture(f"{image}_{letter.lower()}", f"Map {letter} over photograph {number}", size)
    radios = "".join(
        f'<label class="choice"><input type="radio" name="verdict" value="{verdict}">'
        f'<span>{words(verdict)}</span><kbd aria-hidden="true">{key}</kbd></label>\n'
        for key, verdict in enumerate(VERDICTS, 1)
    )
    offered = ' list="reasons"' if sheet.reasons else ""
    return f"""<section class="view" aria-labelledby="map-{letter}"><h2 id="map-{letter}">Map {letter}</h2>{picture}
<form data-side="{letter}" class="script" hidden>
<fieldset><legend>Map {letter} is</legend>
{radios}</fieldset>
<label>Reason <input type="text" name="reason"{offered} autocomplete="off"></label>
<label>Comment <textarea name="comment" rows="2"></textarea></label>
</form></section>
"""


def _steps(sheet: Sheet, number: int, name: str) -> str:
    """Links to the neighbours; at the ends to the first page."""
    last = sheet.number
    back = ("index", "Instructions") if number == 1 else (sheet.images[number - 2], "Previous")
    on = ("index", "Finish") if number == last else (sheet.images[number], "Next")
    middle = "" if number in (1, last) else '<a data-step href="index.html">All photographs</a>'
    return (
        f'<nav class="steps" aria-label="{name}"><a data-step rel="prev" href="{back[0]}.html">← {back[1]}</a>{middle}'
        f'<a data-step rel="next" href="{on[0]}.html">{on[1]} →</a></nav>'
    )


def _legend(sheet: Sheet) -> str:
    share = f"{100 * sheet.cut:g}&nbsp;%"
    return (
        f'Colours: the map\'s value as a share of its highest, <span class="ramp"><span>{share}</span>'
        f'<span class="colours" aria-hidden="true"></span><span>100&nbsp;%</span></span>. The cyan line is the border '
        f"of the region above {share}; below it the photograph is left as it is."
    )


def _meanings() -> str:
    rows = "".join(
        f'<tr><th scope="row">{words(verdict)}</th><td>{escape(meaning)}</td></tr>\n'
        for verdict, meaning in VERDICTS.items()
    )
    same = " and ".join(f"<em>{words(fault)}</em>" for fault in IMAGE_FAULTS)
    return f"""<table class="meanings"><tbody>
{rows}</tbody></table>
<p>Give {same} to both maps: they are faults of the photograph.</p>"""
