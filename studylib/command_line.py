"""What can be typed after `python -m studylib`: every verb, what it is for, its options. Nothing heavy is imported."""

from __future__ import annotations

import argparse

from studylib.data import verbs as verbs_of_data
from studylib.study import own_verb

VERBS = {
    "fits": "train the networks that a study's settings ask for; several processes may share the work",
    "report": "run a study's notebook and write its report, unless an up-to-date one is there",
    "refresh": "take the outputs of the quick phantom report into the committed notebook",
    "explain": "prediction, confidence, maps and a sentence for one image, by a study or your own audited model",
    "audit": "gates, maps and measures of your own model on your own images, as one report",
    "maps": "write your own model's maps of a set of any size, shard by shard; several processes may share it",
    "app": "look at one image in the browser, by a network that was trained here; this machine only",
    "plan": "say what a run would do: fits, reports, expected minutes",
    "site": "write reports/index.html from the reports that are there",
    "summary": "print the verdicts of the reports of a run",
    "expected": "compare quick phantom reports with tests/expected/, or measure their tolerances over five seeds",
    "claims": "compare a report's verdicts with the committed ones, list a study's statements with their rules, "
    "or write reports/CHANGES.md: every verdict that changed between two committed runs",
    "archive": "pack a run's networks, reports, ledgers and lock into one file with checksums, or unpack one",
    "data": "list the known data sets, fetch or import a release, lay out a folder of your images, or check one",
    "review": "read what one or two experts said on a review sheet",
    "doctor": "say what is here and what each profile would take",
    "environment": "write environment.yml from pyproject.toml",
    "colab": "write the cell that installs the project on Colab, and the badge, into every notebook",
    "datasheets": "write data/phantoms/NAME.md, a datasheet for each family of phantoms, counted on the sets it draws",
}


def parser() -> argparse.ArgumentParser:
    """Every verb with its options."""
    top = argparse.ArgumentParser(
        prog="studylib", description="Do class activation maps show where a classifier looks?"
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    made = {name: verbs.add_parser(name, help=text, description=text) for name, text in VERBS.items()}
    for name in ("fits", "report", "plan", "summary", "explain"):
        if name == "explain":
            made[name].add_argument("image", metavar="IMAGE", help="a picture file")
            who = made[name].add_mutually_exclusive_group(required=True)
            who.add_argument("--study", metavar="STUDY", help="two digits, 01")
            who.add_argument("--audit", metavar="FOLDER", help="the report of your own model's audit")
            made[name].add_argument("--model", metavar="MODULE:FUNCTION", help="with --audit: what builds the model")
            made[name].add_argument("--weights", metavar="FILE.safetensors", help="with --audit: its weights")
            made[name].add_argument("--to", metavar="FILE.png", help="where to write the figure (default: beside you)")
        else:
            many = "+" if name != "report" else 1
            made[name].add_argument("studies", nargs=many, metavar="STUDY", help="two digits, 02")
        made[name].add_argument("--data", default="phantom", help="phantom or real (default phantom)")
        made[name].add_argument("--profile", default="quick", help="quick, standard or paper (default quick)")
        made[name].add_argument("--seed", type=int, default=0, help="a whole number (default 0)")
    own_verb.options(made["audit"])
    own_verb.maps_options(made["maps"])
    made["app"].add_argument("--port", type=int, default=8501, help="of 127.0.0.1 (default 8501)")
    made["app"].add_argument("--seed", type=int, default=0, help="that the networks were trained with (default 0)")
    made["fits"].add_argument("--worker", default="0/1", help="which of how many workers this is, 0/2 (default 0/1)")
    made["report"].add_argument("--force", action="store_true", help="run although an up-to-date report is there")
    made["refresh"].add_argument("study", metavar="STUDY")
    made["expected"].add_argument("studies", nargs="+", metavar="STUDY", help="two digits, 02")
    made["expected"].add_argument("--write", action="store_true", help="measure and write the tolerances")
    made["claims"].add_argument("what", choices=("diff", "list", "changes"))
    made["claims"].add_argument("study", nargs="?", metavar="STUDY", help="two digits, 02; `changes` reads all reports")
    made["claims"].add_argument("--data", default="phantom")
    made["claims"].add_argument("--profile", default="quick")
    made["archive"].add_argument("studies", nargs="*", metavar="STUDY", help="two digits, 02 (default: all)")
    made["archive"].add_argument("--data", default="phantom", help="phantom or real (default phantom)")
    made["archive"].add_argument("--profile", default="quick", help="quick, standard or paper (default quick)")
    made["archive"].add_argument("--seed", type=int, default=0, help="a whole number (default 0)")
    made["archive"].add_argument(
        "--unpack", metavar="FILE", help="unpack this archive instead, and check every checksum"
    )
    made["archive"].add_argument("--to", metavar="PLACE", help="the file to write, or the new folder to unpack into")
    verbs_of_data.options(made["data"])
    made["review"].add_argument("what", choices=("read",))
    made["review"].add_argument("verdicts", nargs="+", metavar="VERDICTS.csv", help="one file a reader, two at most")
    made["review"].add_argument(
        "--key", required=True, metavar="KEY.csv", help="the key that was written with the sheet"
    )
    made["review"].add_argument("--allow-missing", action="store_true", help="count rows without a verdict")
    made["doctor"].add_argument("--deep", action="store_true", help="also compare checksums of weights and every image")
    return top
