"""python -m studylib VERB: thin; every verb is one call into the package. Heavy libraries are imported by the verb
that needs them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from studylib.data import verbs as verbs_of_data
from studylib.study import own_verb

VERBS = {
    "fits": "train the networks that a study's settings ask for; several processes may share the work",
    "report": "run a study's notebook and write its report, unless an up-to-date one is there",
    "refresh": "take the outputs of the quick phantom report into the committed notebook",
    "explain": "prediction, calibrated confidence, maps and a sentence for one image, by a study's trained network",
    "audit": "gates, maps and measures of your own model on your own images, as one report",
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
            made[name].add_argument("--study", required=True, metavar="STUDY", help="two digits, 01")
            made[name].add_argument("--to", metavar="FILE.png", help="where to write the figure (default: beside you)")
        else:
            many = "+" if name != "report" else 1
            made[name].add_argument("studies", nargs=many, metavar="STUDY", help="two digits, 02")
        made[name].add_argument("--data", default="phantom", help="phantom or real (default phantom)")
        made[name].add_argument("--profile", default="quick", help="quick, standard or paper (default quick)")
        made[name].add_argument("--seed", type=int, default=0, help="a whole number (default 0)")
    own_verb.options(made["audit"])
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


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; errors of the user's making are one message on stderr and status 1."""
    asked = parser().parse_args(arguments)
    try:
        return globals()[f"_{asked.verb}"](asked) or 0
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return 130
    except Exception as error:
        if not is_expected(error) or os.environ.get("STUDYLIB_TRACEBACK"):
            raise
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def is_expected(error: Exception) -> bool:
    """Whether an error was written for a user: ours, by name, so that no module is imported to find out."""
    names = {
        "SettingsError",
        "ClaimsError",
        "DataError",
        "LeakError",
        "ReportError",
        "RootError",
        "CatalogueError",
        "SiteError",
        "ModelError",
        "ViewerError",
        "DatasheetError",
    }
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _workshop(asked, study: str):
    """Everything that a study's fits share, parameters checked before anything is made."""
    from studylib.training.memory import keep_buffers

    keep_buffers()
    from studylib.study.root import find_root, runs_folder
    from studylib.study.settings import check_parameters, load_settings

    check_parameters(asked.data, asked.profile, asked.seed)
    root = find_root()
    settings = load_settings(study, root)
    settings.profile(asked.profile)
    from studylib.study.train import Workshop

    return Workshop(settings, asked.data, asked.profile, asked.seed, runs_folder(root))


def _fits(asked) -> None:
    worker, workers = (int(part) for part in asked.worker.split("/"))
    for study in asked.studies:
        _workshop(asked, study).train(lambda line: print(line, flush=True), worker, workers)


def _report(asked) -> None:
    from studylib.study.run import report

    folder = report(asked.studies[0], asked.data, asked.profile, asked.seed, asked.force)
    print(f"report {asked.studies[0]} in {folder.parent.parent.name}/{folder.parent.name}/{folder.name}/", flush=True)


def _explain(asked) -> None:
    workshop, image = _workshop(asked, asked.study), Path(asked.image)
    from studylib.study.one_image import explain_file, figure_of, readable, text_of

    readable(image)  # before any network is trained
    found = explain_file(workshop, workshop.fits(lambda line: print(line, flush=True)), image)
    print(text_of(found))
    target = Path(asked.to) if asked.to else Path(f"{image.stem}_explained.png")
    figure_of(found).savefig(target, dpi=130, bbox_inches="tight")
    print(f"figure: {target.name}")


def _audit(asked) -> int:
    return own_verb.run(asked)


def _app(asked) -> int:
    from studylib.app.server import serve

    return serve(asked.port, asked.seed)


def _refresh(asked) -> None:
    from studylib.study.run import refresh

    refresh(asked.study)


def _plan(asked) -> None:
    from studylib.study.plan import estimate
    from studylib.study.settings import check_parameters

    check_parameters(asked.data, asked.profile, asked.seed)
    for study in asked.studies:
        cost = estimate(study, asked.data, asked.profile)
        print(
            f"study {study} {asked.data}-{asked.profile}: {cost['fits']} fits, {cost['reports']} report, "
            f"about {cost['minutes']:g} minutes on two cores; finished fits are not trained again"
        )


def _site(asked) -> None:
    from studylib.study.root import find_root, reports_folder
    from studylib.study.site import build

    root = find_root()
    page = build(reports_folder(root), root, VERBS)
    print(f"site {page.parent.name}/{page.name}")


def _summary(asked) -> None:
    from studylib.study.summary import summary

    print(summary(asked.studies, asked.data, asked.profile))


def _expected(asked) -> int:
    from studylib.study import expected
    from studylib.study.root import find_root
    from studylib.study.settings import overviews

    outside = 0
    for study in asked.studies:
        if study in overviews(find_root()):
            continue  # what an overview shows was compared study by study
        if asked.write:
            print(f"wrote tests/expected/{expected.measure(study).name}")
            continue
        said = expected.check(study)
        outside += len(said)
        print("\n".join([f"study {study}: {len(said)} metrics are not as expected", *said]))
    return int(outside > 0)


def _claims(asked) -> int:
    if asked.what == "changes":
        from studylib.study.changes import write

        print(f"wrote reports/CHANGES.md: {len(write()[1])} verdicts changed between committed runs")
        return 0
    if not asked.study:
        print(f"claims {asked.what}: name a study, two digits: claims {asked.what} 02", file=sys.stderr)
        return 2
    from studylib.study.summary import claims_diff, claims_list

    if asked.what == "list":
        print(claims_list(asked.study))
        return 0
    text, changed = claims_diff(asked.study, asked.data, asked.profile)
    print(text)
    if changed:
        print("once that is looked at and committed: python -m studylib claims changes")
    return int(changed)


def _archive(asked) -> int:
    from studylib.study import archive

    if asked.unpack and (asked.studies or not asked.to):
        print("archive: with --unpack FILE say --to FOLDER, and no studies", file=sys.stderr)
        return 2
    to = Path(asked.to) if asked.to else None
    if asked.unpack:
        archive.unpack(Path(asked.unpack), to)
    else:
        archive.pack(asked.studies, asked.data, asked.profile, asked.seed, to)


def _data(asked) -> int:
    return verbs_of_data.run(asked)


def _review(asked) -> None:
    from studylib.study.review import read_review

    print(read_review(asked.verdicts, asked.key, allow_missing=asked.allow_missing).text())


def _doctor(asked) -> None:
    from studylib.study.doctor import report
    from studylib.study.root import find_root

    print(report(find_root(), deep=asked.deep))


def _environment(asked) -> None:
    from studylib.study.environment import write
    from studylib.study.root import find_clone

    print(f"wrote {write(find_clone()).name}")


def _colab(asked) -> None:
    from studylib.study import colab
    from studylib.study.root import find_clone

    root = find_clone()
    print(f"{len(colab.write(root))} notebooks changed")
    if not colab.badge(colab.repository_of(root), "x"):
        print("no badge: pyproject.toml names no [project.urls] Repository on GitHub yet")


def _datasheets(_asked) -> None:
    from studylib.study.datasheets import write

    write(say=lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
