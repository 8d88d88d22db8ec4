"""Archives from strangers: names that climb out, links, bombs, damage; and that nothing is left of a refused one."""

from __future__ import annotations

import io
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest

from studylib.data.unpacking import Limits, UnpackError, inside, is_archive, stem, unpack

FEW = Limits(total=1_000_000, members=20, ratio=10, spare=50_000)


def write_zip(path: Path, members: dict[str, bytes | str], **info) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # a name twice
        for name, data in members.items():
            about = zipfile.ZipInfo(name)
            about.compress_type = zipfile.ZIP_DEFLATED
            for key, value in info.items():
                setattr(about, key, value)
            archive.writestr(about, data)
    return path


def write_tar(path: Path, members: list[tarfile.TarInfo], data: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(data))
    return path


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member


def refused(archive: Path, said: str, limits: Limits = FEW) -> str:
    """Unpack, expect to be refused with these words, and that nothing but the archive is there."""
    before = {path for path in archive.parent.rglob("*")}
    with pytest.raises(UnpackError, match=said) as caught:
        unpack(archive, archive.parent / "out", limits)
    assert {path for path in archive.parent.rglob("*")} == before
    return str(caught.value)


def test_a_zip_is_unpacked_whole_without_what_a_mac_adds(tmp_path):
    members = {"a/1.txt": b"one", "b/": b"", "b/c/2.bin": b"two" * 1000, "__MACOSX/a/._1.txt": b"mac"}
    assert unpack(write_zip(tmp_path / "x.zip", members), tmp_path / "out", FEW) == 2
    found = {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in tmp_path.glob("out/**/*.*")}
    assert found == {"a/1.txt": b"one", "b/c/2.bin": b"two" * 1000}
    assert {path.name for path in tmp_path.iterdir()} == {"x.zip", "out"}


def test_a_single_folder_around_everything_is_left_out(tmp_path):
    archive = write_zip(tmp_path / "x.zip", {"set-main/a.txt": b"1", "set-main/b/c.txt": b"2"})
    unpack(archive, tmp_path / "out", FEW)
    assert (tmp_path / "out/a.txt").read_bytes() == b"1" and (tmp_path / "out/b/c.txt").is_file()
    write_tar(tmp_path / "y.tar.gz", [tar_member("set/a.txt"), tar_member("set/b.txt")])
    assert unpack(tmp_path / "y.tar.gz", tmp_path / "tar", FEW) == 2
    assert (tmp_path / "tar/a.txt").read_bytes() == b"x"
    with pytest.raises(UnpackError, match="out/ exists already"):
        unpack(archive, tmp_path / "out", FEW)


@pytest.mark.parametrize("name", ["../up.txt", "a/../../up.txt", "/etc/up", "C:/up", "c:up", "..\\up", "a\\..\\..\\up",
                                  "\\up", "//host/up"])  # fmt: skip
def test_names_that_climb_out(tmp_path, name):
    archive = tmp_path / "in" / "x.zip"
    archive.parent.mkdir()
    refused(write_zip(archive, {"fine.txt": b"1", name: b"2"}), "leaves the folder")
    refused(write_tar(archive.with_name("x.tar.gz"), [tar_member("fine.txt"), tar_member(name)]), "leaves the folder")
    assert not (tmp_path / "up.txt").exists() and {path.name for path in tmp_path.iterdir()} == {"in"}


def test_places_by_hand():
    assert [str(inside(name)) for name in ("a/b", "./a//b", "a\\b", "a/.../b", "a..b/c")] == [
        "a/b", "a/b", "a/b", "a/.../b", "a..b/c",
    ]  # fmt: skip
    for name in ("a\x00b", "a\nb", "a\u202egpj.exe"):
        with pytest.raises(UnpackError, match="cannot be seen"):
            inside(name)


def test_all_wrong_names_are_named_at_once(tmp_path):
    text = refused(
        write_zip(tmp_path / "x.zip", {"../a": b"", "../b": b"", **{f"/{i}": b"" for i in range(6)}}), "'../a'"
    )
    assert "'../b' leaves the folder" in text and text.endswith("and 3 more")


def test_links_and_devices(tmp_path):
    link = write_zip(tmp_path / "x.zip", {"link": b"/etc/passwd"}, external_attr=0o120777 << 16, create_system=3)
    refused(link, "'link' is a link")
    refused(write_zip(tmp_path / "f.zip", {"pipe": b""}, external_attr=0o010666 << 16), "'pipe' is no plain file")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        members = [tar_member("out", kind, "/tmp"), tar_member("out/file")]
        refused(write_tar(tmp_path / "x.tar.gz", members), "'out' is a link")
    refused(write_tar(tmp_path / "y.tar.gz", [tar_member("null", tarfile.CHRTYPE)]), "'null' is no plain file")


def test_the_same_name_twice_whatever_its_case(tmp_path):
    refused(write_zip(tmp_path / "x.zip", {"a.txt": b"1", "A.TXT": b"2"}), "'A.TXT' is there twice")
    refused(write_tar(tmp_path / "x.tar.gz", [tar_member("a"), tar_member("./a")]), "'./a' is there twice")


def test_bombs_are_refused_by_ratio_size_and_count(tmp_path):
    zeros = write_zip(tmp_path / "x.zip", {"zeros": bytes(900_000)})
    assert zeros.stat().st_size < 2_000
    refused(zeros, r"x.zip: \d+ bytes would grow beyond 60.0 kB; refused as a bomb")
    refused(zeros, "grow beyond 500.0 kB", Limits(total=500_000, ratio=10**6))
    refused(write_zip(tmp_path / "n.zip", {f"{i}": b"" for i in range(21)}), "more than 20 members")
    refused(write_tar(tmp_path / "x.tar.gz", [tar_member("zeros")], bytes(900_000)), "refused as a bomb")
    refused(write_tar(tmp_path / "n.tar.gz", [tar_member(f"{i}") for i in range(21)]), "more than 20 members")
    assert unpack(zeros, tmp_path / "allowed", Limits()) == 1  # small enough to do no harm


def test_a_zip_that_lies_about_its_size_is_stopped_while_it_is_written(tmp_path):
    archive = write_zip(tmp_path / "x.zip", {"zeros": bytes(900_000)})
    data = bytearray(archive.read_bytes())
    at = (
        data.index(b"PK\x01\x02") + 24
    )  # the size in the directory (APPNOTE 4.3.12), which is all that is checked first
    data[at : at + 4] = struct.pack("<I", 1_000)
    archive.write_bytes(data)
    refused(archive, "'zeros' is longer|damaged")


def test_members_that_overlap(tmp_path):
    """Many entries of the directory that share one lump of data: small and honest about each size, huge in sum."""
    archive = write_zip(tmp_path / "x.zip", {"a": bytes(90_000)})
    data = archive.read_bytes()
    begin, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = data[begin:end]
    entries = b"".join(entry.replace(b"a", bytes([98 + i])) for i in range(10))
    tail = bytearray(data[end:])
    tail[8:12] = struct.pack("<HH", 10, 10)
    tail[12:16] = struct.pack("<I", len(entries))
    archive.write_bytes(data[:begin] + entries + tail)
    refused(archive, "refused as a bomb")


@pytest.mark.parametrize("keep", [0.3, 0.95])
def test_archives_that_end_early(tmp_path, keep):
    for archive in (
        write_zip(tmp_path / "x.zip", {"a.bin": bytes(range(256)) * 50, "b.bin": b"b" * 500}),
        write_tar(tmp_path / "x.tar.gz", [tar_member("a.bin"), tar_member("b.bin")], bytes(range(256)) * 50),
    ):
        data = archive.read_bytes()
        archive.write_bytes(data[: int(len(data) * keep)])
        refused(archive, f"{archive.name}: the archive is damaged or ends early .*fetch it again")


def test_a_flipped_bit_and_a_page_that_calls_itself_zip(tmp_path):
    archive = write_zip(tmp_path / "x.zip", {"a.bin": bytes(range(256)) * 10})
    data = bytearray(archive.read_bytes())
    data[60] ^= 0xFF
    archive.write_bytes(data)
    refused(archive, "damaged")
    (tmp_path / "y.zip").write_bytes(b"<html>log in</html>")
    refused(tmp_path / "y.zip", "damaged or ends early")
    (tmp_path / "y.tar.gz").write_bytes(b"<html>log in</html>")
    refused(tmp_path / "y.tar.gz", "damaged or ends early")
    refused(write_zip(tmp_path / "empty.zip", {}), "holds no file")


def test_an_encrypted_zip(tmp_path):
    archive = write_zip(tmp_path / "x.zip", {"a.txt": b"secret"})
    data = bytearray(archive.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag that says so (APPNOTE 4.4.4)
        data[data.index(mark) + at] |= 1
    archive.write_bytes(data)
    refused(archive, "'a.txt' is encrypted; unpack it by hand with its password")


def test_a_file_where_a_folder_should_be(tmp_path):
    refused(write_zip(tmp_path / "x.zip", {"a": b"1", "a/b": b"2"}), "could not be unpacked|nothing was kept")


def test_a_full_disk(tmp_path, monkeypatch):
    import shutil

    free = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    refused(write_zip(tmp_path / "x.zip", {"a": b"1" * 20}), "20 bytes to unpack, and 10 bytes free")


def test_names_of_archives():
    assert [is_archive(name) for name in ("a.zip", "A.ZIP", "a.tar.gz", "a.tgz", "a.7z", "a.csv", "azip")] == [
        True, True, True, True, False, False, False,
    ]  # fmt: skip
    assert [stem(name) for name in ("a.b-1.zip", "a.tar.gz", "a.tgz", "a.csv")] == ["a.b-1", "a", "a", "a"]
