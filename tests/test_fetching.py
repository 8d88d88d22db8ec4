"""A set from its owner's site to our layout: licence first, checksums, safe unpacking, import, and what is by hand."""

from __future__ import annotations

import hashlib
import io
import json
import random
import re
import zipfile
from pathlib import Path

import pytest
from conftest import write_lesion_mask, write_lesion_picture
from local_site import serving

from studylib.__main__ import main
from studylib.data import catalogue
from studylib.data.dataset import load_dataset
from studylib.data.fetching import fetch_release, remotes
from studylib.data.importers.registry import IMPORTERS
from studylib.data.transfers import FetchError, Patience
from studylib.data.unpacking import UnpackError

ROOT = Path(__file__).resolve().parents[1]
QUICK = Patience(attempts=2, wait=0.001, every=1e9)
TABLE = """lesion_id,image_id,dx,dx_type,age,sex,localization,dataset
HAM_0000118,ISIC_0027419,bkl,histo,80.0,male,scalp,vidir_modern
HAM_0000118,ISIC_0025030,bkl,histo,80.0,male,scalp,vidir_modern
HAM_0002730,ISIC_0026769,akiec,consensus,,unknown,back,rosendahl
"""
ABOUT = """title = "A set"
study = "05"
images = 3
group = "group"
homepage = "https://example.org/set"
licence = "CC BY 4.0"
citation = "A. Uthor, 2020."
layout = "pictures"
get = "Log in at the homepage and unpack it."
traps = "None. None."
"""


@pytest.fixture
def site(monkeypatch, tmp_path):
    monkeypatch.setenv("STUDYLIB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STUDYLIB_DATA", str(tmp_path / "images"))
    (tmp_path / "home" / "data").mkdir(parents=True)
    with serving() as site:
        yield site


def known(tmp_path, text: str) -> None:
    """Let datasets.toml hold these sets alone."""
    (tmp_path / "home" / "data" / "datasets.toml").write_text(text)
    catalogue._read.cache_clear()


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def bomb() -> bytes:
    """A small archive that announces 4 GB."""
    data = bytearray(zipped({"zeros": b"0"}))
    at = data.index(b"PK\x01\x02") + 24  # the size in the directory, APPNOTE 4.3.12
    data[at : at + 4] = b"\xf0\xff\xff\xff"
    return bytes(data)


def pictures(folder: Path, *numbers: int, mask: bool = False) -> dict[str, bytes]:
    """Pictures ISIC_….jpg, or one mask, as members of an archive without a folder."""
    for number in numbers:
        if mask:
            write_lesion_mask(folder / f"ISIC_{number:07d}_segmentation.png", (0, 9, 5, 18))
        else:
            write_lesion_picture(folder / f"ISIC_{number:07d}.jpg", number)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def deposit(site, tmp_path) -> dict[str, bytes]:
    """HAM10000 as a Dataverse deposit that lists MD5s, and its table under another name."""
    files = {
        "HAM10000_images_part_1.zip": zipped(pictures(tmp_path / "1", 25030, 27419)),
        "HAM10000_images_part_2.zip": zipped(pictures(tmp_path / "2", 26769)),
        "HAM10000_segmentations_lesion_tschandl.zip": zipped(pictures(tmp_path / "3", 27419, mask=True)),
    }
    rows = []
    for number, (name, data) in enumerate(files.items(), 1):
        site.put(f"api/access/datafile/{number}", data)
        rows.append({"dataFile": {"id": number, "filename": name, "md5": hashlib.md5(data).hexdigest()}})
    site.put("api/access/datafile/9?format=original", TABLE.encode(), kind="text/csv")
    table = {"id": 9, "filename": "HAM10000_metadata.tab", "md5": "of something else", "tabularData": True}
    listed = json.dumps({"data": {"latestVersion": {"files": [*rows, {"dataFile": table}]}}})
    site.put("api/datasets/:persistentId?persistentId=doi:10.7910/DVN/DBW86T", listed.encode(), kind="application/json")
    real = catalogue_text("ham10000").replace("https://dataverse.harvard.edu", site.address)
    known(tmp_path, real + catalogue_text("isic_multi"))
    return files


def catalogue_text(name: str) -> str:
    """What the project's own datasets.toml says of a set."""
    text = (ROOT / "data" / "datasets.toml").read_text(encoding="utf-8")
    return re.search(rf"^\[{name}\]\n.*?(?=^\[\w+\]\n|\Z)", text, re.M | re.S)[0]


def test_a_set_from_its_owner_to_our_layout(site, deposit, tmp_path, capsys):
    site.pages["api/access/datafile/1"].drops = [500]  # the connection breaks once
    assert main(["data", "fetch", "ham10000", "--import"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("ham10000: HAM10000: 10,015") and said[1].startswith("  licence   CC BY-NC 4.0")
    assert ("api/access/datafile/1", "bytes=500-") in site.asked
    assert any(line.endswith("checksum right") for line in said) and any("no checksum is known" in s for s in said)
    dataset = load_dataset(tmp_path / "images" / "ham10000")
    assert dataset.table["label"].tolist() == ["BKL", "BKL", "AKIEC"]
    assert dataset.table["isic_id"].tolist() == ["ISIC_0027419", "ISIC_0025030", "ISIC_0026769"]
    assert (dataset.table["mask_file"] != "").sum() == 1
    release = tmp_path / "images" / "releases" / "ham10000" / "release"
    assert (release / "HAM10000_images_part_1" / "ISIC_0025030.jpg").is_file()

    site.asked.clear()  # again: nothing is fetched, nothing unpacked
    made = (release / "HAM10000_images_part_1").stat().st_ino
    assert main(["data", "fetch", "ham10000"]) == 0
    assert [path for path, _ in site.asked] == ["api/datasets/:persistentId?persistentId=doi:10.7910/DVN/DBW86T"]
    assert (release / "HAM10000_images_part_1").stat().st_ino == made
    assert f"python -m studylib data import ham10000 '{release}'" in capsys.readouterr().out


def test_a_part_of_another_set_is_imported_under_its_own_name(site, deposit, tmp_path, capsys):
    assert main(["data", "fetch", "isic_multi", "--to", str(tmp_path / "here")]) == 0
    assert capsys.readouterr().out.rstrip().endswith("--to $STUDYLIB_DATA/isic_multi")
    assert main(["data", "fetch", "isic_multi", "--import"]) == 0
    assert len(load_dataset(tmp_path / "images" / "isic_multi")) == 3
    capsys.readouterr()
    assert main(["data", "fetch", "isic_multi", "--import"]) == 2
    assert "isic_multi/ is in STUDYLIB_DATA already; nothing was fetched" in capsys.readouterr().err


def test_a_deposit_that_lacks_a_file_or_cannot_be_asked(site, deposit, tmp_path):
    page = site.pages["api/datasets/:persistentId?persistentId=doi:10.7910/DVN/DBW86T"]
    page.data = page.data.replace(b"_part_2.zip", b"_part_3.zip")
    with pytest.raises(FetchError, match="holds no HAM10000_images_part_2.zip .it holds .*HAM10000_images_part_3"):
        fetch_release("ham10000", tmp_path / "to", lambda _: None, QUICK)
    page.data = b"<html>maintenance"
    with pytest.raises(FetchError, match="could not be asked for doi:10.7910/DVN/DBW86T"):
        fetch_release("ham10000", tmp_path / "to", lambda _: None, QUICK)
    page.status = 403
    with pytest.raises(FetchError, match="does not know doi:10.7910/DVN/DBW86T, or refuses to say"):
        fetch_release("ham10000", tmp_path / "to", lambda _: None, QUICK)


def one_archive(site, tmp_path, data: bytes, more: str = "", **how) -> None:
    site.put("a.zip", data, **how)
    fetch = f'[[set.fetch]]\nfrom = ["{site.address}/"]\nfiles = ["a.zip"{more}]\n'
    known(tmp_path, f"[set]\n{ABOUT}{fetch}")


@pytest.mark.parametrize(
    ("data", "how", "said"),
    [
        (zipped({"../../up.txt": b"1"}), {}, "'../../up.txt' leaves the folder"),
        (bomb(), {}, "refused as a bomb"),
        (zipped({"a": random.Random(0).randbytes(5_000)})[:2_000], {}, "damaged or ends early"),
        (b"", {"status": 404}, "has it no longer"),
        (b"<html><title>Log in</title>", {"kind": "text/html"}, "a web page titled 'Log in'"),
    ],
    ids=["climbs", "bomb", "truncated", "gone", "log-in"],
)  # fmt: skip
def test_what_goes_wrong_is_one_error_that_says_how_to_do_it_by_hand(site, tmp_path, capsys, data, how, said):
    one_archive(site, tmp_path, data, **how)
    assert main(["data", "fetch", "set"]) == 1
    out, err = capsys.readouterr()
    assert said in err and "Or by hand: Log in at the homepage and unpack it. Home page: https://example.org/set" in err
    assert "licence   CC BY 4.0" in out and "Traceback" not in err
    left = {path.relative_to(tmp_path / "images").as_posix() for path in (tmp_path / "images").rglob("*")}
    assert not any("up.txt" in path or "part" in path for path in left), left
    assert not (tmp_path / "images/releases/set/release/a").exists()


def test_a_damaged_archive_that_nothing_vouches_for_is_fetched_anew(site, tmp_path):
    whole = zipped({"a.bin": random.Random(0).randbytes(5_000)})
    one_archive(site, tmp_path, whole[:2_000])
    with pytest.raises(UnpackError, match="damaged or ends early"):
        fetch_release("set", tmp_path / "to", lambda _: None, QUICK)
    one_archive(site, tmp_path, whole)
    assert (fetch_release("set", tmp_path / "to", lambda _: None, QUICK).folder / "a.bin").stat().st_size == 5_000


def test_an_archive_that_came_anew_is_unpacked_anew(site, tmp_path):
    one_archive(site, tmp_path, zipped({"a.txt": b"one", "b.txt": b"two"}))
    assert fetch_release("set", tmp_path / "to", lambda _: None, QUICK).folder == tmp_path / "to" / "release" / "a"
    assert (tmp_path / "to/release/a/b.txt").read_bytes() == b"two"
    for name in ("a.zip", "a.zip.sha256"):
        (tmp_path / "to" / "downloads" / name).unlink()
    one_archive(site, tmp_path, zipped({"a.txt": b"three", "c.txt": b"four"}))
    fetch_release("set", tmp_path / "to", lambda _: None, QUICK)
    assert {path.name: path.read_bytes() for path in (tmp_path / "to/release/a").iterdir()} == {
        "a.txt": b"three", "c.txt": b"four",
    }  # fmt: skip


def test_what_only_another_program_unpacks_is_said(site, tmp_path, capsys):
    site.put("b.7z", b"7z bytes", kind="application/x-7z-compressed")
    one_archive(site, tmp_path, zipped({"a": b"1"}), ', "b.7z"')
    assert main(["data", "fetch", "set", "--import"]) == 1
    out, err = capsys.readouterr()
    assert re.search(r"unpack by hand, with 7-Zip or the like: 7z x -o'\S+/release/a' '\S+/downloads/b.7z'", out)
    assert "not imported, a hand is needed first" in err


def test_a_set_that_wants_a_log_in_is_not_tried(site, tmp_path, capsys):
    known(tmp_path, f"[set]\n{ABOUT}")
    assert main(["data", "fetch", "set"]) == 1
    out, err = capsys.readouterr()
    assert "licence   CC BY 4.0" in out
    assert err.startswith("FetchError: 'set' cannot be fetched by a program; by hand: Log in at the homepage")
    assert not site.asked and not (tmp_path / "images").exists()


def test_what_is_asked_wrongly(site, tmp_path, capsys, monkeypatch):
    known(tmp_path, f"[set]\n{ABOUT}")
    assert main(["data", "fetch"]) == 2 and "name one set" in capsys.readouterr().err
    assert main(["data", "fetch", "sett"]) == 1 and "did you mean 'set'?" in capsys.readouterr().err
    monkeypatch.delenv("STUDYLIB_DATA")
    assert main(["data", "fetch", "set"]) == 2 and "set STUDYLIB_DATA, or say --to" in capsys.readouterr().err
    for row, said in (
        ('from = ["x"]', "expected `files`, and either"),
        ('files = ["a"]', "expected `files`, and either"),
        ('from = ["x"]\nfiles = [{ name = "a", sha1 = "0" }]', "unknown sha1 .known: name, at, md5, sha256"),
    ):
        known(tmp_path, f"[set]\n{ABOUT}[[set.fetch]]\n{row}\n")
        with pytest.raises(FetchError, match=said):
            remotes("set")


def test_a_name_in_the_catalogue_stays_in_its_folder(site, tmp_path):
    known(tmp_path, f'[set]\n{ABOUT}[[set.fetch]]\nfrom = ["x"]\nfiles = [{{ name = "../a.zip", at = "a" }}]\n')
    with pytest.raises(UnpackError, match="leaves the folder"):
        remotes("set")


def test_the_committed_catalogue(monkeypatch):
    """Every set can be fetched, is part of one that can, or says what to do by hand; https but for one old site."""
    monkeypatch.setenv("STUDYLIB_HOME", str(ROOT))
    by_hand = []
    for name in catalogue.names():
        about = catalogue.entry(name)
        if part := about.get("part_of"):
            assert part in IMPORTERS and catalogue.entry(part)["fetch"]
        elif not about.get("fetch"):
            by_hand.append(name)
            assert "log-in needed" in about["get"]
        elif name != "ham10000":  # asks its deposit
            found = remotes(name)
            assert len({remote.name for remote in found}) == len(found) > 0
            for remote in found:
                assert all(re.fullmatch(r"https?://[\w.-]+/\S+[\w)]", address) for address in remote.addresses)
                assert all(a.startswith("https:") for a in remote.addresses) or name == "pap_herlev"
                assert re.fullmatch(r"(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})?", remote.checksum)
    assert by_hand == ["cervix_types"]
