"""The index: counted from the verdicts, whole without a script or a network, honest about what it could not read."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from studylib.study import marks, rules, site
from studylib.study.settings import studies

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
        "high": 0.4,
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
    assert "Verdicts on the 4 statements in their texts: 2 reproduced, 1 partly and 1 not testable." in text


def test_real_images_lead_and_the_fuller_profile_first(reports):
    add_report(reports)
    add_report(reports, "real-standard", rows=[("7.1", "data", "not reproduced", "real")])
    add_report(reports, "real-quick", rows=[("7.1", "data", "reproduced", "real")])
    add_report(reports, name="08_other", rows=[("8.1", "data", "undecided", "phantom")])
    text = plain(build_text(reports))
    assert "2 studies examined, 1 of them on real images. Verdicts on the 5 statements" in text
    assert "1 reproduced, 1 partly, 1 not reproduced, 1 undecided and 1 not testable" in text  # each statement once
    order = re.findall(r"On (real images|phantoms), profile (\w+) Verdicts", text)
    assert order == [
        ("real images", "standard"),
        ("real images", "quick"),
        ("phantoms", "quick"),
        ("phantoms", "quick"),
    ]


def test_statements_stand_in_their_natural_order(reports):
    add_report(reports)
    claims = re.findall(r'<span class="id">([\d.]+)</span>', build_text(reports))
    assert claims == ["7.1", "7.2", "7.3", "7.10"]


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
    assert sorted(path.name for path in reports.iterdir()) == ["index.html", "phantom-quick", "statements.csv"]
    assert (reports.parent / "elsewhere" / "reports" / "statements.csv").read_bytes() == (
        reports / "statements.csv"
    ).read_bytes()


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
        (
            "metrics.json",
            '{"study": "07", "data": "phantom", "profile": "quick", "metrics": {"a.b": {"value": 1, "low": 0}}}',
            "phantom-quick/07_demo_study/metrics.json: 'a.b' lacks high, n, groups, unit, how; run the report again",
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


def write_ledger(root: Path, *ids: str, study: int = 7) -> None:
    claims = "".join(
        f'''[[claim]]
id = "{claim}"
topic = "data"
statement = "Maps {claim}"
source = "1.2"
testable_on = []
how = "by reading"
weakness = "none"
[claim.rule]
kind = "document"
reading = {{verdict = "partly", read = "it", where = "there", words = "so"}}
'''
        for claim in ids
    )
    (root / "data" / "claims").mkdir(parents=True, exist_ok=True)
    (root / "data" / "claims" / f"{study:02d}.toml").write_text(
        f'[meta]\nstudy = {study}\ntitle = "Ledger {study}"\n{claims}'
    )


def test_statements_and_studies_that_no_run_judged_stand_there_too(reports):
    add_report(reports)
    write_ledger(reports.parent, "7.1", "7.2", "7.3", "7.10", "7.11")
    write_ledger(reports.parent, "9.1", study=9)
    text = plain(build_text(reports))
    assert "1 study examined, on phantoms alone. Verdicts on the 6 statements" in text
    assert "1 not testable and 2 no run yet." in text
    assert (
        "09 Ledger 9 What holds Of 1 statement : 1 no run yet. No run yet: make reproduce STUDY=09 makes one." in text
    )
    with (reports / "statements.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["claim"]: row["verdict"] for row in csv.DictReader(file)}
    assert list(rows) == ["7.1", "7.2", "7.3", "7.10", "7.11", "9.1"]
    assert (rows["7.1"], rows["7.11"], rows["9.1"]) == ("reproduced", "no run yet", "no run yet")


def test_ledgers_alone_make_a_page(tmp_path):
    write_ledger(tmp_path, "7.1")
    text = plain(build_text(tmp_path / "reports"))
    assert "No report yet" in text and "All 1 statements" in text and "… no run yet" in text


def test_a_ledger_that_cannot_be_read_is_named(reports):
    add_report(reports)
    write_ledger(reports.parent, "9.1", study=9)
    (reports.parent / "data" / "claims" / "08.toml").write_text("[meta")
    with pytest.raises(site.SiteError, match="data/claims/08.toml: not valid TOML"):
        site.build(reports)
    text = plain((reports / "index.html").read_text(encoding="utf-8"))
    assert "data/claims/08.toml: not valid TOML" in text and "09 Ledger 9" in text


def add_overview(reports: Path, name: str) -> Path:
    folder = add_report(reports, name=name)
    head = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(head | {"dataset": {"name": "reports"}, "metrics": {}}))
    (folder / "verdicts.csv").unlink()
    return folder


def test_notebooks_over_all_studies_are_linked_and_not_counted(reports):
    add_report(reports)
    before = plain(build_text(reports))
    for name in ("00_start_here", "06_synthesis"):
        add_overview(reports, name)
    text = build_text(reports)
    assert '<a href="phantom-quick/00_start_here/00_start_here.html">Start here</a>' in text
    assert text.count('<a href="phantom-quick/06_synthesis/06_synthesis.html">Synthesis</a>') == 2  # and which map when
    assert "1 study examined" in plain(text) and "study-00" not in text and "study-06" not in text
    assert "Which map when" in plain(text) and "Which map when" not in before
    table = reports / "phantom-quick" / "06_synthesis" / "tables" / "which_map.csv"
    table.write_text('map,needs,what you may say\nCAM,"a linear head, no gradient",<nothing>\n')
    told = plain(build_text(reports))
    assert "map needs what you may say CAM a linear head, no gradient &lt;nothing&gt;" in told
    (reports / "phantom-quick" / "06_synthesis" / "06_synthesis.html").unlink()
    assert "Synthesis" not in build_text(reports)


def test_the_page_names_the_audit_only_where_it_can_be_typed(reports):
    add_report(reports)
    assert "studylib audit" not in site.build(reports).read_text(encoding="utf-8")
    assert "python -m studylib audit --data FOLDER" in site.build(reports, verbs=["audit"]).read_text(encoding="utf-8")


def test_the_day_of_a_run_is_that_of_its_commit(reports):
    folder = add_report(reports)
    assert "of 20" not in plain(build_text(reports))  # nothing knows this commit
    environment = os.environ | dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), "2021-03-04T05:06:07Z")
    settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], [*settings, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", *command], cwd=reports.parent, env=environment, check=True)
    asked = ["git", "rev-parse", "HEAD"]
    made = subprocess.run(asked, cwd=reports.parent, capture_output=True, text=True, check=True).stdout.strip()
    (folder / "provenance.json").write_text(json.dumps({"commit": made, "clean": True}))
    assert f"commit {made[:10]} of 2021-03-04" in plain(build_text(reports))


def test_a_full_disk_leaves_the_old_page(reports, monkeypatch):
    folder = add_report(reports)
    before = site.build(reports).read_bytes()
    (folder / "tables" / "new.csv").write_text("a\n")

    def full(self, *_, **__):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(site.SiteError, match="index.html could not be written: No space left on device; what stood"):
        site.build(reports)
    assert (reports / "index.html").read_bytes() == before
    assert not list(reports.glob(".*"))


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


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> tuple[Path, str]:
    """The page of the committed reports, made in a folder beside links to them."""
    folder = tmp_path_factory.mktemp("committed") / "reports"
    folder.mkdir()
    for run in sorted((ROOT / "reports").glob("*-*")):
        (folder / run.name).symlink_to(run)
    page = site.build(folder, ROOT, ["audit"])
    return page, page.read_text(encoding="utf-8")


def ledger_ids() -> list[str]:
    """Read without our reader: the ids as they stand in the files."""
    texts = [(ROOT / "data" / "claims" / f"{study}.toml").read_text(encoding="utf-8") for study in studies(ROOT)]
    return [claim for text in texts for claim in re.findall(r'^id = "([^"]+)"', text, re.M)]


def test_all_statements_stand_on_the_page_each_once_with_a_verdict_or_a_reason(committed):
    page, text = committed
    rows = re.findall(r'<tr id="s-([^"]+)" .*?data-verdict="([^"]+)".*?</tr>', text, re.S)
    assert sorted(claim for claim, _ in rows) == sorted(ledger_ids()) and len(rows) == 280
    assert all(word in (*rules.VERDICTS, "no run yet") for _, word in rows)
    with page.with_name("statements.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [(row["claim"], row["verdict"]) for row in table] == rows
    unexplained = [
        row["claim"]
        for row in table
        if row["verdict"] in ("not testable", "undecided", "no run yet") and not row["reason"]
    ]
    assert not unexplained


def test_every_row_links_to_the_section_that_settled_it(committed):
    _, text = committed
    rows = re.findall(r'<tr id="s-([^"]+)" .*?</tr>', text, re.S)
    linked = re.findall(r'<tr id="s-([^"]+)" (?:(?!</tr>).)*?<a class="settled" href="[^"]+\.html#[^"]+"', text, re.S)
    assert linked == rows


def test_every_link_of_the_page_leads_somewhere(committed):
    page, text = committed
    ids: dict[str, set[str]] = {}
    lost = []
    for link in set(re.findall(r'(?:href|src)="([^"]+)"', re.sub(r"<script>.*?</script>", "", text, flags=re.S))):
        if link.startswith("data:"):
            continue
        path, _, anchor = unescape(link).partition("#")
        target = page.parent / unquote(path) if path else page
        if not target.is_file():
            lost.append(link)
        elif anchor:
            known = ids.setdefault(path, set(map(unescape, re.findall(r'\bid="([^"]+)"', target.read_text("utf-8")))))
            lost += [] if anchor in known else [link]
    assert not lost, lost


def test_the_answer_is_short_and_the_page_small(committed):
    _, text = committed
    answer = re.search(r'<section class="answer".*?</section>', text, re.S)[0]
    assert len(plain(answer).split()) < 300
    assert "python -m studylib audit" in answer
    assert len(text.encode()) < 3_000_000
    order = [text.index(f'id="{name}"') for name in ("answer", "numbers", "evidence", "studies", "statements")]
    assert order == sorted(order)
