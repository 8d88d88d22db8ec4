"""python -m studylib VERB: thin; every verb is one call into the package. Heavy libraries are imported by the verb
that needs them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from studylib.data import verbs as verbs_of_data

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
    "claims": "compare a report's verdicts with the committed ones, or list a study's statements with their rules",
    "archive": "pack a run's networks, reports, ledgers and lock into one file with checksums, or unpack one",
    "data": "list the known data sets, fetch or import an owner's release, or check a folder in our layout",
    "review": "read what one or two experts said on a review sheet",
    "doctor": "say what is here and what each profile would take",
    "environment": "write environment.yml from pyproject.toml",
    "colab": "write the cell that installs the project on Colab, and the badge, into every notebook",
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
    _audit_options(made["audit"])
    made["app"].add_argument("--port", type=int, default=8501, help="of 127.0.0.1 (default 8501)")
    made["app"].add_argument("--seed", type=int, default=0, help="that the networks were trained with (default 0)")
    made["fits"].add_argument("--worker", default="0/1", help="which of how many workers this is, 0/2 (default 0/1)")
    made["report"].add_argument("--force", action="store_true", help="run although an up-to-date report is there")
    made["refresh"].add_argument("study", metavar="STUDY")
    made["expected"].add_argument("studies", nargs="+", metavar="STUDY", help="two digits, 02")
    made["expected"].add_argument("--write", action="store_true", help="measure and write the tolerances")
    made["claims"].add_argument("what", choices=("diff", "list"))
    made["claims"].add_argument("study", metavar="STUDY")
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


def _audit_options(verb: argparse.ArgumentParser) -> None:
    """What an audit can be asked for."""
    verb.add_argument("--data", required=True, metavar="FOLDER", help="images in our layout (`data check` reads it)")
    verb.add_argument(
        "--model",
        required=True,
        metavar="MODULE:FUNCTION",
        help="what builds it; also FILE.py:FUNCTION, torchvision:NAME",
    )
    verb.add_argument("--weights", metavar="FILE.safetensors", help="its weights (default: as the function builds it)")
    verb.add_argument("--to", metavar="FOLDER", help="where to write the report (default audit-NAME beside you)")
    verb.add_argument("--classes", nargs="+", default=[], metavar="NAME", help="in the order of the outputs")
    verb.add_argument(
        "--split", default="", metavar="COLUMN", help="which says train, validation, test (default split)"
    )
    verb.add_argument("--group", default="group", metavar="COLUMN", help="patient, lesion or slide (default group)")
    verb.add_argument("--region", default="", metavar="NAME", help="of the masks (default: the first)")
    verb.add_argument("--image-size", type=int, default=224, metavar="N", help="pixels a side (default 224)")
    verb.add_argument("--crop", default="none", help="none, centre, pad or window:N (default none: stretched)")
    verb.add_argument("--mean", nargs=3, type=float, metavar="X", help="of each colour (default ImageNet's)")
    verb.add_argument("--std", nargs=3, type=float, metavar="X", help="of each colour (default ImageNet's)")
    verb.add_argument(
        "--methods", nargs="+", metavar="NAME", help="the first is judged by all gates (default gradcam …)"
    )
    verb.add_argument(
        "--layers", nargs="+", default=[], metavar="NAME", help="of the model (default its last spatial one)"
    )
    verb.add_argument(
        "--images", type=int, default=200, metavar="N", help="with masks, whose maps are scored (default 200)"
    )
    verb.add_argument("--seed", type=int, default=0, help="a whole number (default 0)")
    verb.add_argument("--quick", action="store_true", help="a look: fewer images and resamples")
    verb.add_argument("--force", action="store_true", help="write over a report that is there")


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
    import shlex

    target = Path(asked.to or f"audit-{Path(asked.data).resolve().name}")
    if target.exists() and not asked.force:
        print(
            f"audit: {target.name} is there; name another folder with --to, or write over it with --force",
            file=sys.stderr,
        )
        return 2
    from studylib.study.own_audit import Asked, run_audit

    given = {"mean": asked.mean, "std": asked.std, "methods": asked.methods}
    given = {name: tuple(value) for name, value in given.items() if value}
    if asked.quick:
        given |= {"curve_images": 8, "sanity_images": 8, "steps": 8, "resamples": 500}
    request = Asked(
        Path(asked.data), asked.model, Path(asked.weights) if asked.weights else None, tuple(asked.classes),
        asked.split, asked.group, asked.region, asked.image_size, asked.crop, layers=tuple(asked.layers),
        images=min(asked.images, 24) if asked.quick else asked.images, seed=asked.seed, **given,
    )  # fmt: skip
    names = [("--data", Path(asked.data).name), ("--model", asked.model)]
    names += [("--weights", Path(asked.weights).name)] if asked.weights else []
    command = "python -m studylib audit " + " ".join(f"{flag} {shlex.quote(str(value))}" for flag, value in names)
    page = run_audit(request, target, command, lambda line: print(line, flush=True))
    print(f"open {page}")
    return 0


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
    from studylib.study.summary import claims_diff, claims_list

    if asked.what == "list":
        print(claims_list(asked.study))
        return 0
    text, changed = claims_diff(asked.study, asked.data, asked.profile)
    print(text)
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
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
