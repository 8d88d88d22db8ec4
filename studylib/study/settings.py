"""What a profile asks for: read from the TOML file beside a notebook, every key checked by name."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from studylib.models.registry import learns
from studylib.training.spec import BALANCES

PROFILES = ("quick", "standard", "paper")
DATA = ("phantom", "real")


class SettingsError(ValueError):
    """Settings or parameters that cannot be used; the message lists every problem, one a line."""


@dataclass(frozen=True)
class Arm:
    """One kind of network to train: how it is built and what it is trained on. Empty fields follow the profile."""

    name: str
    model: str
    options: dict = field(default_factory=dict)
    image_size: int = 0
    epochs: int = 0
    learning_rate: float = 0.0
    warmup: int = -1
    precision: str = ""
    crop: str = "brain"  # "brain", "centre" (what Resize 256 and CenterCrop 224 keep), "none", "pad" or "window:N"
    labels: str = "true"  # "shuffled": one label a group, permuted over groups
    augment: bool = False  # training pictures moved and tinted at random
    guide: float = 0.0  # weight of the penalty on the class's evidence outside `guide_regions`
    guide_regions: tuple[str, ...] = ()  # first words of the regions' names
    box_regions: tuple[str, ...] = ()  # the same: what the box of a network that detects holds
    balance: str = ""  # how training answers classes of unequal size, one of the spec's BALANCES
    share: float = 1.0  # of the training groups
    data: str = ""  # "phantom" or "real": only there
    phantom: str = "plain"  # which phantom family variant: "plain", or one of the profile's variants
    real: str = ""  # which of the study's real sets, where they are kept apart: the first unless named
    cost: float = 1.0  # time of a training pixel against other arms: longer fits begin first
    why: str = ""

    @property
    def variant(self) -> str:
        """Which data set of the study it is trained on."""
        return f"real:{self.real}" if self.real else self.phantom


@dataclass(frozen=True)
class Profile:
    """One profile of a study. `fits`: arm -> split -> how many networks."""

    image_size: int
    epochs: int
    folds: int
    minutes: float  # measured on two cores, data made and packages there; what `DRY=1` and `doctor` say
    fits: dict[str, dict[str, int]]
    warmup: int = 0
    batch_size: int = 32
    learning_rate: float = 1e-3
    precision: str = "bf16"
    main: dict = field(default_factory=dict)  # data -> the arm whose maps are judged, where a study has one
    resamples: int = 2000
    map_images: int = 200  # at most so many images where every pixel of a map is scored
    steps: int = 16  # of a deletion curve
    phantom: dict = field(default_factory=dict)  # what make_brain and its like are asked for
    variants: dict[str, dict] = field(default_factory=dict)  # the same, for families with planted cues, by name


@dataclass(frozen=True)
class Settings:
    """All that a study's TOML file says."""

    study: str
    name: str  # NN_name
    title: str
    source: str
    claim: str  # what the source claims, in one sentence
    primary: str  # the estimand, named before it is computed
    unit: str  # what a group is
    group: str
    real: tuple[str, ...]
    external: str
    external_group: str
    phantom: str
    positive: str  # of two classes the one that a positive logit stands for
    arms: dict[str, Arm]
    profiles: dict[str, Profile]
    phantom_unit: str = "patient"  # what a group of phantoms is
    apart: bool = False  # whether the real sets are kept apart instead of joined
    relabel: dict = field(default_factory=dict)  # class of a real set -> what the study calls it
    colour: bool = False  # whether networks see colour
    in_words: bool = False  # whether one image is explained by the words of its map's region
    headline: dict = field(default_factory=dict)  # metric -> the words before its figure on the first screen

    def profile(self, name: str) -> Profile:
        if name not in self.profiles:
            raise SettingsError(f"study {self.study} has no profile '{name}'{_near(name, self.profiles)}")
        return self.profiles[name]

    def to_dict(self, profile: str) -> dict:
        """The settings of one profile as metrics.json keeps them."""
        chosen = asdict(self.profile(profile))
        del chosen["minutes"]  # an expectation, not a setting
        return chosen | {"arms": {n: asdict(self.arms[n]) for n in self.profile(profile).fits}}


def _near(word: str, known) -> str:
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else f" (known: {', '.join(known)})"


def _built(kind: type, table: dict, where: str, problems: list[str]):
    """Build a dataclass from a table; unknown, missing and mistyped keys are collected as problems."""
    known = {f.name: f for f in fields(kind)}
    for key in table:
        if key not in known:
            problems.append(f"{where}: unknown setting '{key}'{_near(key, known)}")
    table = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    kinds = {"int": int, "float": (int, float), "str": str, "bool": bool, "dict": dict, "tuple": tuple}
    for name, item in known.items():
        wanted = kinds.get(str(item.type).split("[")[0])
        value = table.get(name)
        wrong = (
            wanted and name in table and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)))
        )
        if wrong:
            problems.append(f"{where}: '{name}' is {value!r}, expected {item.type}")
    try:
        return kind(**{k: v for k, v in table.items() if k in known})
    except TypeError as error:
        problems.append(f"{where}: {str(error).split('__init__() ')[-1]}")
        return None


def _contradictions(arm: Arm | None) -> list[str]:
    """What an arm asks for that does not go together."""
    if arm is None:  # could not be built; that is a problem of its own
        return []
    found = []
    if arm.guide and not arm.guide_regions:
        found.append("guide needs guide_regions, where the evidence is to lie")
    if arm.augment and (arm.guide or learns(arm.model) != "labels"):
        found.append("augment moves pictures, not masks or boxes: it goes with networks that learn labels, unguided")
    if arm.balance not in BALANCES:
        found.append(f"balance = '{arm.balance}' is not known{_near(arm.balance, BALANCES)}")
    if arm.balance and (arm.guide or learns(arm.model) != "labels"):
        found.append("balance changes the loss of labels: it goes with networks that learn labels, unguided")
    if (learns(arm.model) == "boxes") != bool(arm.box_regions):
        found.append("box_regions, what a box is drawn around, go with a network that detects, and it needs them")
    return found


def studies(root: Path) -> list[str]:
    """Numbers of the studies that have settings, in order."""
    return sorted(path.name[:2] for path in (root / "notebooks").glob("[0-9][0-9]_*.toml"))


def overviews(root: Path) -> list[str]:
    """Numbers of the notebooks that have no settings: they train nothing and read the reports of the studies."""
    known = set(studies(root))
    return sorted(p.name[:2] for p in (root / "notebooks").glob("[0-9][0-9]_*.ipynb") if p.name[:2] not in known)


def notebook_name(number: str, root: Path) -> str:
    """NN_name of a notebook, study or overview. Raises SettingsError naming the nearest number."""
    found = sorted((root / "notebooks").glob(f"{number}_*.ipynb")) or sorted(
        (root / "notebooks").glob(f"{number}_*.toml")
    )
    if not found:
        raise SettingsError(f"no notebook is called '{number}'{_near(number, [*studies(root), *overviews(root)])}")
    return found[0].stem


def load_settings(study: str, root: Path) -> Settings:
    """Read and check `notebooks/NN_name.toml`. Raises SettingsError naming each wrong key and the nearest known one."""
    found = sorted((root / "notebooks").glob(f"{study}_*.toml"))
    if not found:
        raise SettingsError(f"no study is called '{study}'{_near(study, studies(root))}")
    path, problems = found[0], []
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name}: {error}") from None
    for key in content:
        if key not in ("study", "arms", *PROFILES):
            problems.append(f"{path.name}: unknown table [{key}]{_near(key, ('study', 'arms', *PROFILES))}")
    arms = {}
    for name, table in content.get("arms", {}).items():
        arms[name] = _built(Arm, {"name": name} | table, f"{path.name} [arms.{name}]", problems)
        problems += [f"{path.name} [arms.{name}]: {text}" for text in _contradictions(arms[name])]
    profiles = {}
    for name in PROFILES:
        if name in content:
            profiles[name] = _built(Profile, content[name], f"{path.name} [{name}]", problems)
            for arm in content[name].get("fits", {}):
                if arm not in arms:
                    problems.append(f"{path.name} [{name}.fits]: no arm is called '{arm}'{_near(arm, arms)}")
                    continue
                asked, drawn = getattr(arms[arm], "phantom", "plain"), content[name].get("variants", {})
                if asked != "plain" and asked not in drawn:
                    problems.append(
                        f"{path.name} [{name}.variants]: arm '{arm}' needs the phantoms '{asked}'{_near(asked, drawn)}"
                    )
    head = {"study": study, "name": path.stem, "arms": arms, "profiles": profiles} | content.get("study", {})
    settings = _built(Settings, head, f"{path.name} [study]", problems)
    for name, arm in arms.items():
        if arm and arm.real and settings and not (settings.apart and arm.real in settings.real):
            problems.append(f"{path.name} [arms.{name}]: real = '{arm.real}' is none of the sets that are kept apart")
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def check_parameters(data: str, profile: str, seed: int) -> None:
    """Refuse parameters that no study has. Raises SettingsError naming the nearest."""
    if data not in DATA:
        raise SettingsError(f"data = '{data}' is not known{_near(data, DATA)}")
    if profile not in PROFILES:
        raise SettingsError(f"profile = '{profile}' is not known{_near(profile, PROFILES)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SettingsError(f"seed = {seed!r} is not a whole number of 0 or more")
