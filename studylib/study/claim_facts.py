"""Facts of a run that a reporting checklist asks for, in words: of its images, split, networks, measures and gates;
each from records, settings or fits. A fact that this run does not know is left out.
"""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from studylib.data import catalogue
from studylib.metrics.estimates import EXACT, counted, plural
from studylib.study import record
from studylib.study.card_pages import passes
from studylib.study.display import digits
from studylib.study.fits import Fits
from studylib.study.model_cards import PARTS, Card

if TYPE_CHECKING:
    from studylib.study.study import Study

SOFTWARE = ("studylib", "torch", "torchvision", "lightning", "numpy", "scikit-learn")
LIMITS = "## 7 What this does not show"


def facts(study: Study, fits: Fits, cards: list[Card]) -> dict[str, str]:
    """Name -> text, for the templates of `claim_2024.toml`. cards: of every arm, the main one first."""
    return {
        name: text
        for found in (
            of_plan(study), of_images(study), of_split(study, fits, cards[0]), of_networks(study, fits, cards),
            of_performance(study, fits, cards), of_records(study), of_gates(study.kept("gates_all")),
        )
        for name, text in found.items()
    }  # fmt: skip


def of_plan(study: Study) -> dict[str, str]:
    """What was planned before the run: title, claim, statements, primary estimand, resampling."""
    settings, families = study.settings, len(study.ledger.families)
    holm = f"{families} families of comparisons are Holm-corrected" if families > 1 else "one family is Holm-corrected"
    return {
        "title": settings.title, "claim": settings.claim, "number": study.number, "name": settings.name,
        "statements": str(len(study.ledger)), "primary": settings.primary, "seed": str(study.seed),
        "unit": study.unit, "units": plural(study.unit), "group": settings.group, "family": settings.phantom,
        "resamples": f"{study.profile.resamples:,}", "map_images": f"{study.profile.map_images:,}",
        "holm": holm if families else "no comparisons share a family", "command": study.command,
        "channels": "in colour" if settings.colour else "in grey",
    }  # fmt: skip


def of_images(study: Study) -> dict[str, str]:
    """What the images are: source, licence, number, classes, outlines, known traps."""
    dataset, info = study.dataset(), study.dataset().info
    outlined = int((dataset.table["mask_file"] != "").sum())
    without = f"{len(dataset) - outlined:,} of {counted(len(dataset), 'image')} have no mask and are left out"
    masks = {0: "The set holds no masks", len(dataset): "Every image has a mask"}
    found = {
        "data_title": info.get("title", dataset.name),
        "images": counted(len(dataset), "image"),
        "groups": counted(len(set(study.workshop.group_of(dataset))), study.unit),
        "classes": ", ".join(study.workshop.labels(dataset)[1]),
        "regions": ", ".join(name for value, name in dataset.regions.items() if value) or "nothing",
        "without_outline": masks.get(outlined, f"{without} where a map is scored against one"),
    }
    found |= {name: sentence(info[name]) for name in ("licence", "citation") if info.get(name)}
    traps = [catalogue.entry(name).get("traps", "") for name in study.settings.real if study.data == "real"]
    return found | ({"traps": " ".join(traps)} if any(traps) else {})


def of_split(study: Study, fits: Fits, main: Card) -> dict[str, str]:
    """How images were shared out, of the main arm's first network: rule, sizes, classes by part."""
    trained = [t for t in fits if t.run.arm.name == main.arm][0]
    _, examples = study.workshop.examples(trained.run)
    by_part = {
        part: np.bincount(examples.labels[examples.rows(part)], minlength=len(examples.classes)) for part in PARTS
    }
    sizes = [
        f"{part} {counted(images, 'image')} of {counted(groups, study.unit)}"
        for part, (images, groups) in main.parts.items()
    ]
    shares = [
        f"{part} " + ", ".join(f"{name} {count}" for name, count in zip(examples.classes, counts, strict=True))
        for part, counts in by_part.items()
    ]
    how = study.workshop.split(trained.run).how
    return {"split": how[:1].upper() + how[1:], "parts": "; ".join(sizes), "class_parts": "; ".join(shares)}


def of_networks(study: Study, fits: Fits, cards: list[Card]) -> dict[str, str]:
    """What was trained, from what, how, and which epochs were kept."""
    main, specs = cards[0], {t.run.arm.name: t.fit.spec for t in fits}
    kinds = dict.fromkeys(str(dict(spec.options).get("architecture", spec.model)) for spec in specs.values())
    size = specs[main.arm].image_size
    moved = [f"`{name}`" for name, spec in specs.items() if spec.augment]
    begun = Counter(card.begins for card in cards)
    begins = [
        f"{text} ({', '.join(f'`{card.arm}`' for card in cards if card.begins == text)})" for text in begun
    ]  # fmt: skip
    kept = [t.fit.best_epoch for t in fits if t.run.arm.name == main.arm]
    known = record.versions()
    return {
        "main": main.arm, "main_is": main.why, "main_size": main.size, "training": main.training,
        "architectures": ", ".join(kinds), "size": f"{size} x {size} pixels", "frame": specs[main.arm].crop,
        "augmented": f"as they are, but moved and tinted at random for {', '.join(moved)}" if moved else copies(study),
        "families": f"{len(cards)} families" if len(cards) > 1 else "One family",
        "networks": counted(len(fits), "network"),
        "seeds": f"{main.seeds[0]} to {main.seeds[-1]}" if len(main.seeds) > 1 else str(main.seeds[0]),
        "begins": f"All begin from {cards[0].begins}" if len(begun) == 1 else "From " + "; from ".join(begins),
        "kept": f"{min(kept)} to {max(kept)}" if min(kept) < max(kept) else str(kept[0]),
        "software": ", ".join([f"Python {platform.python_version()}", *(f"{name} {known[name]}" for name in SOFTWARE)]),
    }  # fmt: skip


def copies(study: Study) -> str:
    """Whether the set itself holds augmented copies."""
    count = int(study.dataset().copies().sum())
    return f"as the set holds them, {count:,} of its images augmented copies" if count else "as they are"


def of_performance(study: Study, fits: Fits, cards: list[Card]) -> dict[str, str]:
    """How well the main arm does on unseen groups, and whom it takes for whom."""
    main = cards[0]
    names = {"balanced accuracy": "balanced_accuracy", "AUROC": "auroc", "accuracy": "accuracy",
             "calibration error": "calibration"}  # fmt: skip
    found = {key: str(e) for name, key in names.items() if (e := main.measured(name))}
    found["measures"] = ", ".join(
        dict.fromkeys(m for card in cards for part in card.performance.values() for m in part)
    )
    if not fits.has(main.arm):
        return found
    table = fits.predictions(main.arm)
    wrong = table[table["correct"] == 0]
    found |= {"answers": counted(len(table), "answer"), "wrong": f"{len(wrong):,}", "confused": ""}
    if len(wrong):
        label, said = (list(wrong[name]) for name in ("label", "predicted"))
        (true, named), times = Counter(zip(label, said, strict=True)).most_common(1)[0]
        a, b = (main.classes[int(i)].replace("_", " ") for i in (true, named))
        found["confused"] = f", most often {a} taken for {b} ({times:,} of {label.count(true):,} wrong answers to {a})"
    return found


def of_records(study: Study) -> dict[str, str]:
    """What was measured: primary estimand, headline, verdicts, tests elsewhere, and the limits that are named."""
    study.settle_rest()
    counts = Counter(verdict.verdict for verdict in study.verdicts.values())
    found = {
        "headline": study.headline(), "estimates": f"{len(study.metrics):,}",
        "undecided": str(counts["undecided"]), "not_testable": str(counts["not testable"]),
    }  # fmt: skip
    told = [f"{words}: {study.metrics[name]}" for name, words in study.settings.headline.items()
            if name in study.metrics and name != study.settings.primary]  # fmt: skip
    found["headlines"] = "; ".join(told) + "." if told else "nothing else."
    if primary := study.metrics.get(study.settings.primary):
        found["primary_found"] = str(primary)
        found["primary_groups"] = counted(primary.groups, primary.unit)
        found["primary_width"] = digits(float(primary.high - primary.low))
    if study.settings.external and study.data == "real":
        found |= elsewhere(study)
    return found | limits(study)


def elsewhere(study: Study) -> dict[str, str]:
    """What was measured on the set that no network was trained on; {} where nothing was."""
    name = study.settings.external
    tokens = {"elsewhere", "external", name, name.split("_")[-1]}
    measured = {key: e for key, e in study.metrics.items() if tokens & set(key.split("."))}
    told = [f"`{key}` {e}" for key, e in measured.items() if not e.how.startswith(EXACT)][:3]
    if not told:
        return {}
    found = f"{counted(len(measured), 'estimate')} on a set that no network saw: {'; '.join(told)}"
    return {"external": catalogue.entry(name)["title"], "external_found": found}


def limits(study: Study) -> dict[str, str]:
    """How many limits section 7 of the notebook names; {} where it cannot be read."""
    path = study.root / "notebooks" / f"{study.settings.name}.ipynb"
    if not path.is_file():
        return {}
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    named = [len(re.findall(r"^- ", text, re.M)) for text in texts if text.startswith(LIMITS)]
    return {"limits": counted(named[0], "limit")} if named and named[0] else {}


def of_gates(gates: pd.DataFrame | None) -> dict[str, str]:
    """What came of each gate: rules passed, and by name those that failed; of gate 6 the range. None: none judged."""
    if gates is None:
        return {}
    judged = passes(gates)
    passed, of = (sum(pair[i] for pair in judged.values()) for i in (0, 1))
    found = {"failed": f"{of - passed} of {of}"}
    for name, (good, all_of) in judged.items():
        failing = gates[(gates["gate"] == name) & (gates["outcome"] == "fail")]["rule"]
        text = f"{good} of {all_of} rules pass" + (f", not: {'; '.join(failing)}" if len(failing) else "")
        found[f"gate_{name.split()[0]}"] = text if all_of else "; ".join(gates[gates["gate"] == name]["figure"])
    crossing = gates[gates["rule"].str.contains("crosses")]
    return found | (
        {"crossing": f"{crossing['figure'].iloc[0]} ({crossing['outcome'].iloc[0]})"} if len(crossing) else {}
    )


def sentence(text: str) -> str:
    """A text of an owner as one that others may follow: without the full stop at its end."""
    return str(text).strip().rstrip(".")
