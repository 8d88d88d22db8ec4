"""The wording of texts about maps: one table, `wording.toml`, checked by key so that a translation can replace it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

SHIPPED = Path(__file__).with_name("wording.toml")
FREE = ("class", "source")  # tables with a class's sentence each; any class, or none
KNOWLEDGE = {"sentence", "reference"}


class WordingError(ValueError):
    """A table of wording that cannot be used; the message lists every problem, one a line."""


@dataclass(frozen=True)
class Wording:
    """Phrases by table and key; `known` and `source`: class -> sentence, reference and what contradicts it."""

    phrases: dict[str, dict[str, str]]
    known: dict[str, dict]
    source: dict[str, dict]

    def say(self, table: str, key: str, **values) -> str:
        """The phrase of a key with its {names} filled in. Raises KeyError for a key that no table has."""
        return self.phrases[table][key].format(**values)

    def contradicted(self, source: bool = False) -> dict[str, dict[str, list[str]]]:
        """Class -> attribute -> words that its sentence contradicts, of our sentences or of the source's."""
        return {name: entry.get("contradicts", {}) for name, entry in (self.source if source else self.known).items()}


def load_wording(path: str | Path | None = None) -> Wording:
    """Read a table of wording (None: the English one beside this module).

    Raises WordingError naming file, table and key of everything that is missing, unknown, no text, or has other {names}
    than the English phrase.
    """
    path = SHIPPED if path is None else Path(path)
    expected, content = _read(SHIPPED), _read(path)
    problems = [f"unknown table [{t}]{_near(t, [*expected])}" for t in content if t not in expected]
    for table in (name for name in expected if name not in FREE):
        given = content.get(table, {})
        for key, phrase in expected[table].items():
            where = f"[{table}] {key}"
            if key not in given:
                problems.append(f"{where} is missing; it stands for {phrase!r} in English")
            elif not isinstance(given[key], str) or not given[key].strip():
                problems.append(f"{where} is {given[key]!r}, expected a text")
            else:
                problems += _names(where, given[key], phrase)
        problems += [
            f"unknown key [{table}] {k}{_near(k, [*expected[table]])}" for k in given if k not in expected[table]
        ]
    for table in FREE:
        for name, entry in content.get(table, {}).items():
            problems += _knowledge(f"[{table}.{name}]", entry, expected)
    if problems:
        raise WordingError("\n".join(f"{path.name}: {text}" for text in problems))
    phrases = {name: content[name] for name in expected if name not in FREE}
    return Wording(phrases, content.get("class", {}), content.get("source", {}))


def _read(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WordingError(f"{path.name}: cannot be read as a TOML table of wording ({error})") from None


def _near(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else f" (known: {', '.join(known)})"


def _fields(phrase: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(phrase) if name is not None}


def _names(where: str, given: str, english: str) -> list[str]:
    """Whether a phrase has the {names} of the English one: a text must neither lose a number nor ask for another."""
    wanted = _fields(english)
    try:
        found = _fields(given)
        given.format(**dict.fromkeys(wanted | found, 0.5))
    except (ValueError, TypeError, IndexError, KeyError) as error:
        return [f"{where} = {given!r} is no template ({error})"]
    if found == wanted:
        return []
    shown = [", ".join(f"{{{name}}}" for name in sorted(names)) or "none" for names in (found, wanted)]
    return [f"{where} has the names {shown[0]}, expected {shown[1]}"]


def _knowledge(where: str, entry: object, expected: dict) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{where} is {entry!r}, expected a table with sentence and reference"]
    found = [f"{where} has no {key}" for key in sorted(KNOWLEDGE) if not str(entry.get(key, "")).strip()]
    found += [f"{where}: unknown key {key}" for key in entry if key not in KNOWLEDGE | {"contradicts"}]
    for attribute, words in entry.get("contradicts", {}).items():
        unknown = [word for word in words if word not in expected.get(attribute, {})]
        found += [f"{where}: contradicts {attribute} = {word!r}, which is no word of [{attribute}]" for word in unknown]
    return found
