"""python -m studylib VERB: thin; every verb is one call into the package. Heavy libraries are imported by the verb
that needs them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from studylib.command_line import VERBS, parser
from studylib.data import verbs as verbs_of_data
from studylib.study import own_verb


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


def _explain(asked) -> int:
    image = Path(asked.image)
    if asked.audit and not asked.model:
        print("explain: with --audit say with --model what builds the model", file=sys.stderr)
        return 2
    from studylib.study.one_image import explain_file, figure_of, readable, text_of

    readable(image)  # before any network is trained
    if asked.audit:
        from studylib.study.own_explain import explain_own

        weights = Path(asked.weights) if asked.weights else None
        found = explain_own(image, Path(asked.audit), asked.model, weights)
    else:
        workshop = _workshop(asked, asked.study)
        found = explain_file(workshop, workshop.fits(lambda line: print(line, flush=True)), image)
    print(text_of(found))
    target = Path(asked.to) if asked.to else Path(f"{image.stem}_explained.png")
    figure_of(found).savefig(target, dpi=130, bbox_inches="tight")
    print(f"figure: {target.name}")
    return 0


def _audit(asked) -> int:
    return own_verb.run(asked)


def _maps(asked) -> int:
    return own_verb.run_maps(asked)


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

    print(colab.write_and_say(find_clone()))


def _datasheets(_asked) -> None:
    from studylib.study.datasheets import write

    write(say=lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
