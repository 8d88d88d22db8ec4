"""The index: counted from the verdicts, whole without a script or a network, honest about what it could not read."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from studylib.study import index, marks, rules, site, statements

ROOT = Path(__file__).resolve().parents[1]
PIXEL = bytes.fromhex(  # a PNG of one white pixel
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)
COLUMNS = (
    "claim",
    "topic",
    "statement",
    "source",
    "stated",
    "verdict",
    "evidence",
    "estimate",
    "metric",
    "reason",
    "rule",
)
ROWS = [  # claim, topic, verdict, evidence
    ("7.1", "data", "reproduced", "phantom"),
    ("7.2", "classification", "partly", "phantom"),
    ("7.10", "classification", "not testable", "phantom"),
    ("7.3", "reference", "reproduced", "document"),
]


def add_report(
    reports: Path, run: str = "phantom-quick", name: str = "07_demo_study", rows=ROWS, statement="Maps"
) -> Path:
    """A small report as a run leaves it."""
    folder = reports / run / name
    (folder / "figures").mkdir(parents=True)
    (folder / "tables").mkdir()
    data, profile = run.split("-")
    metric = {
        "value": 0.3141,
        "low": 0.25,
        "high": None,
        "n": 1470,
        "groups": 47,
        "unit": "patient",
        "how": "bootstrap",
    }
    head = {"study": name[:2], "data": data, "profile": profile, "seed": 3, "primary": "iou.cam"}
    dataset = {"name": "demo", "fingerprint": "00ff00ff00ff00ff"}
    (folder / "metrics.json").write_text(json.dumps(head | {"dataset": dataset, "metrics": {"iou.cam": metric}}))
    (folder / "provenance.json").write_text(
        json.dumps({"commit": "0123456789abcdef", "clean": False, "seconds": {"maps": 80, "notebook": 180}})
    )
    with open(folder / "verdicts.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for claim, topic, verdict, evidence in rows:
            estimate = "a: 0.9 [0.8, 1]; b: 0.7 [0.6, 0.8]"
            writer.writerow(
                [
                    claim,
                    topic,
                    f"{statement} {claim}",
                    "1.2",
                    "94.87 %",
                    verdict,
                    evidence,
                    estimate,
                    "a; b",
                    "Because",
                    "a > 0",
                ]
            )
    (folder / "tables" / "iou.csv").write_text("iou\n0.3\n")
    (folder / f"{name}.html").write_text("<p>notebook</p>")
    (folder / "figures" / "headline.png").write_bytes(PIXEL)
    (folder / "figures" / "headline.txt").write_text("IoU < 1. Redraw: `make reproduce`.\n")
    return folder


@pytest.fixture
def reports(tmp_path):
    settings = '[study]\ntitle = "A demo & its <title>"\nclaim = "Maps help."\n'
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "07_demo_study.toml").write_text(settings)
    return tmp_path / "reports"


def build_text(reports: Path) -> str:
    return site.build(reports).read_text(encoding="utf-8")


def plain(html: str) -> str:
    return re.sub(r"\s+([,.])", r"\1", re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))).strip()


def test_every_verdict_has_a_mark_and_a_meaning():
    assert tuple(marks.VERDICT_MARKS) == rules.VERDICTS
    assert len({sign for sign, _ in marks.VERDICT_MARKS.values()}) == len(rules.VERDICTS)  # told apart without colour
    assert set(marks.EVIDENCE) == set(rules.STRONGEST_FIRST)


def test_without_reports(tmp_path):
    text = build_text(tmp_path / "reports")
    assert "No report yet" in text and "make reproduce" in text and "<table" not in text


def test_headline_is_counted(reports):
    add_report(reports)
    text = plain(build_text(reports))
    assert "1 study examined, on phantoms alone." in text
    assert "Verdicts on the 4 statements in the text: 2 reproduced, 1 partly and 1 not testable." in text


def test_real_images_lead_and_the_fuller_profile_first(reports):
    add_report(reports)
    add_report(reports, "real-standard", rows=[("7.1", "data", "not reproduced", "real")])
    add_report(reports, "real-quick", rows=[("7.1", "data", "reproduced", "real")])
    add_report(reports, name="08_other", rows=[("8.1", "data", "undecided", "phantom")])
    text = plain(build_text(reports))
    assert "2 studies examined, 1 of them on real images. Verdicts on the 2 statements" in text
    assert "1 not reproduced and 1 undecided" in text
    order = re.findall(r"On (real images|phantoms), profile (\w+)", text)
    assert order == [
        ("real images", "standard"),
        ("real images", "quick"),
        ("phantoms", "quick"),
        ("phantoms", "quick"),
    ]


def test_card_says_claim_estimate_and_origin(reports):
    add_report(reports)
    text = plain(build_text(reports))
    assert "A demo &amp; its &lt;title&gt;" in text and "Claimed Maps help." in text
    assert "iou.cam 0.314 [0.25, undefined], n = 1,470, 47 groups (patient)" in text
    assert "commit 0123456789 with changes that were not committed, seed 3, notebook 3 min" in text


def test_figure_carries_its_caption(reports):
    folder = add_report(reports)
    assert "<figcaption>IoU &lt; 1. Redraw: <code>make reproduce</code>.</figcaption>" in build_text(reports)
    (folder / "figures" / "headline.txt").unlink()
    assert "<figcaption>Headline figure of study 07 on phantoms, profile quick.</figcaption>" in build_text(reports)


def test_statements_stand_in_their_natural_order(reports):
    add_report(reports)
    claims = re.findall(r'<span class="id">([\d.]+)</span>', build_text(reports))
    assert claims == ["7.1", "7.2", "7.3", "7.10"]
    assert statements.natural_key("2.9") < statements.natural_key("2.10") < statements.natural_key("10.1")


def test_only_committed_files_are_linked(reports):
    phantom, real = add_report(reports), add_report(reports, "real-standard")
    text = build_text(reports)
    links = [link for link in re.findall(r'href="([^"#]+)"', text) if not link.startswith("data:")]
    assert all((reports / link).is_file() for link in links), links
    assert f"phantom-quick/{phantom.name}/{phantom.name}.html" in links
    assert not any(link.startswith("real-") and link.endswith((".html", ".ipynb")) for link in links)
    (real / f"{real.name}.html").unlink()  # a fresh clone has no notebook of real images: the page is the same there
    assert build_text(reports) == text


def test_everything_is_escaped(reports):
    add_report(reports, statement='<script>alert("x")</script> & "quoted"')
    text = build_text(reports)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &quot;quoted&quot; 7.1" in text


def test_same_reports_same_bytes(reports):
    add_report(reports)
    target = site.build(reports)
    first, stamp = target.read_bytes(), target.stat().st_mtime_ns
    site.build(reports)
    assert target.stat().st_mtime_ns == stamp  # not even written again
    shutil.copytree(reports.parent / "notebooks", reports.parent / "elsewhere" / "notebooks")
    shutil.copytree(reports, reports.parent / "elsewhere" / "reports")
    assert site.build(reports.parent / "elsewhere" / "reports").read_bytes() == first
    assert sorted(path.name for path in reports.iterdir()) == ["index.html", "phantom-quick"]


def test_nothing_comes_from_elsewhere(reports):
    add_report(reports)
    text = build_text(reports)
    assert not re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    assert not re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?!data:)', text)


class Balance(HTMLParser):
    """Every element that is opened is closed, in order."""

    void = {"meta", "link", "br", "img", "input"}

    def __init__(self):
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, attrs)
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_balanced(reports):
    add_report(reports)
    add_report(reports, "real-standard")
    parser = Balance()
    parser.feed(build_text(reports))
    assert parser.open == []


def test_large_figures_are_linked(reports, monkeypatch):
    folder = add_report(reports)
    assert "data:image/png;base64," in build_text(reports)
    monkeypatch.setattr(index, "EMBED_BYTES", len(PIXEL) - 1)
    text = build_text(reports)
    assert "base64" not in text and f'src="phantom-quick/{folder.name}/figures/headline.png"' in text


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.json", "{", "phantom-quick/07_demo_study/metrics.json: Expecting property name"),
        ("metrics.json", "[]", "metrics.json: holds a list, expected an object"),
        ("metrics.json", '{"study": "07", "data": "phantom"}', "metrics.json: lacks profile, metrics"),
        (
            "metrics.json",
            '{"study": "07", "data": "phantoms", "profile": "quick", "metrics": {}}',
            "data 'phantoms' is unknown; nearest: 'phantom'",
        ),
        ("metrics.json", None, "metrics.json: not there; run the report again"),
        ("provenance.json", "", "phantom-quick/07_demo_study/provenance.json: Expecting value"),
        ("verdicts.csv", None, "verdicts.csv: not there"),
        ("verdicts.csv", "claim,word\n7.1,reproduced\n", "verdicts.csv: no column verdict"),
        (
            "verdicts.csv",
            "claim,verdict\n7.1,reproducd\n",
            "verdicts.csv row 2: verdict 'reproducd' is unknown; nearest: 'reproduced'",
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_the_rest_is_shown(reports, name, content, message):
    folder = add_report(reports)
    add_report(reports, name="08_other")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(site.SiteError) as error:
        site.build(reports)
    assert message in str(error.value) and str(reports) not in str(error.value)
    text = (reports / "index.html").read_text(encoding="utf-8")
    assert "Left out, because it could not be read" in text and 'id="study-08"' in text and 'id="study-07"' not in text


def test_verdicts_with_fewer_columns_are_shown(reports):
    folder = add_report(reports)
    (folder / "verdicts.csv").write_text("claim,verdict\n7.1,reproduced\n")
    assert "evidence: not given" in build_text(reports)


def test_half_written_reports_are_not_reports(reports):
    add_report(reports)
    text = build_text(reports)
    shutil.copytree(reports / "phantom-quick" / "07_demo_study", reports / "phantom-quick" / ".07_demo_study.4711")
    (reports / "bench").mkdir()
    assert build_text(reports) == text


def test_it_imports_nothing_heavy():
    heavy = "{'torch', 'pandas', 'numpy', 'matplotlib'}"
    code = f"import sys; from studylib.study import site; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
