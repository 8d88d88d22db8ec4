"""A file that comes from a site that drops connections, ignores Range, changes its mind, or wants a log-in."""

from __future__ import annotations

import errno
import hashlib
import random

import pytest
from local_site import Site, serving

from studylib.data import transfers
from studylib.data.downloads import Remote, download
from studylib.data.transfers import FetchError, Patience, progress_text, size_text

DATA = random.Random(0).randbytes(300_000)
QUICK = Patience(attempts=3, wait=0.001, longest=0.002, stall=5, every=0)


@pytest.fixture(scope="module")
def running():
    with serving() as site:
        yield site


@pytest.fixture
def site(running) -> Site:
    running.pages.clear()
    running.asked.clear()
    return running


def get(site, tmp_path, patience=QUICK, checksum="", **how) -> list[str]:
    """Fetch DATA as a.zip from a page that behaves as told. -> what was said"""
    said = []
    address = site.put("a.zip", **({"data": DATA} | how))
    download(Remote("a.zip", (address,), checksum), tmp_path, said.append, patience)
    return said


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_dropped_connections_are_continued_from_where_they_broke(site, tmp_path):
    said = get(site, tmp_path, drops=[100_000, 1_000, 50_000])
    assert (tmp_path / "a.zip").read_bytes() == DATA
    assert [wanted for _, wanted in site.asked] == [None, "bytes=100000-", "bytes=101000-", "bytes=151000-"]
    assert any("ended early after 100.0 kB; going on" in line for line in said)
    assert names(tmp_path) == {"a.zip", "a.zip.sha256"}  # no part, no state


def test_a_later_run_goes_on_from_what_an_earlier_one_left(site, tmp_path):
    with pytest.raises(
        FetchError, match=r"gave nothing in 3 attempts \(the connection ended early\); 70.0 kB are kept"
    ):
        get(site, tmp_path, drops=[70_000, 0, 0, 0])
    assert names(tmp_path) == {"a.zip.part", "a.zip.part.json"}
    site.asked.clear()
    said = get(site, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == DATA and site.asked == [("a.zip", "bytes=70000-")]
    assert said[0] == f"a.zip: going on from 70.0 kB of 300.0 kB, {site.address[7:]}"


def test_a_site_that_ignores_range_is_read_from_the_start(site, tmp_path):
    get(site, tmp_path, ranges=False, drops=[100_000])
    assert (tmp_path / "a.zip").read_bytes() == DATA
    assert [wanted for _, wanted in site.asked] == [None, "bytes=100000-"]


def test_a_file_that_changed_meanwhile_is_not_glued_together(site, tmp_path):
    with pytest.raises(FetchError):
        get(site, tmp_path, drops=[70_000, 0, 0, 0])
    other = DATA[::-1]
    get(site, tmp_path, data=other, tag='"two"')  # If-Range does not hold: the site sends all of it
    assert (tmp_path / "a.zip").read_bytes() == other


def test_without_a_tag_a_part_of_another_size_begins_anew(site, tmp_path):
    with pytest.raises(FetchError):
        get(site, tmp_path, tag="", drops=[70_000, 0, 0, 0])
    get(site, tmp_path, data=DATA + b"longer", tag="")
    assert (tmp_path / "a.zip").read_bytes() == DATA + b"longer"
    with pytest.raises(FetchError):
        get(site, tmp_path / "b", tag="", length=False, drops=[70_000, 0, 0, 0], checksum="md5:" + "0" * 32)
    assert not (tmp_path / "b" / "a.zip").exists()


def test_a_part_that_is_already_all_of_it(site, tmp_path):
    with pytest.raises(FetchError):
        get(site, tmp_path, drops=[70_000, 0, 0, 0])
    (tmp_path / "a.zip.part").write_bytes(DATA)  # killed between the last byte and the rename
    get(site, tmp_path)
    assert (tmp_path / "a.zip").read_bytes() == DATA and site.asked[-1] == ("a.zip", "bytes=300000-")


def test_a_log_in_page_in_place_of_the_file(site, tmp_path):
    page = b"<!DOCTYPE html><html><head><title>Sign in to Kaggle</title>"
    site.put("login", page, kind="text/html; charset=utf-8")
    with pytest.raises(
        FetchError, match="127.0.0.1:[0-9]+ sends a web page titled 'Sign in to Kaggle'.*wants a log-in"
    ):
        get(site, tmp_path, status=302, to="/login")
    with pytest.raises(FetchError, match="sends a web page titled 'Sign in to Kaggle'"):
        get(site, tmp_path, data=page)  # said to be a zip
    assert len([1 for path, _ in site.asked if path == "a.zip"]) == 2 and not names(tmp_path)  # asked once each


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "has it no longer at http"), (410, "no longer"), (403, "refuses it .HTTP 403.: it wants a log-in"),
     (401, "wants a log-in"), (418, "answers HTTP 418, expected 200")],
)  # fmt: skip
def test_answers_that_stay_the_same_are_not_asked_for_again(site, tmp_path, status, said):
    with pytest.raises(FetchError, match=said):
        get(site, tmp_path, status=status)
    assert len(site.asked) == 1 and not names(tmp_path)


def test_a_busy_site_is_asked_again_and_then_given_up(site, tmp_path):
    with pytest.raises(FetchError, match=r"nothing in 3 attempts \(HTTP 503\)"):
        get(site, tmp_path, status=503)
    assert len(site.asked) == 3


def test_nobody_there(tmp_path):
    with serving() as gone:
        address = gone.put("a.zip", DATA)
    with pytest.raises(FetchError, match=r"3 attempts \(no connection\)"):
        download(Remote("a.zip", (address,)), tmp_path, lambda _: None, QUICK)


def test_slow_is_not_lost_but_stalled_is(site, tmp_path):
    said = get(site, tmp_path, Patience(stall=0.5, every=0.0), data=DATA[:8_000], pause=0.02)
    assert (tmp_path / "a.zip").read_bytes() == DATA[:8_000]
    assert any("of 8.0 kB (100 %)" in line for line in said)
    with pytest.raises(FetchError, match="no answer in time"):
        get(site, tmp_path / "b", Patience(attempts=1, wait=0.001, stall=0.1), data=DATA[:1_000], pause=0.5)


def test_a_second_address_is_tried(site, tmp_path):
    gone, there = site.put("old/a.zip", status=404), site.put("new/a.zip", DATA)
    download(Remote("a.zip", (gone, there)), tmp_path, lambda _: None, QUICK)
    assert (tmp_path / "a.zip").read_bytes() == DATA
    with pytest.raises(FetchError) as caught:
        download(Remote("b.zip", (gone, site.put("x", status=403))), tmp_path, lambda _: None, QUICK)
    assert "HTTP 404" in str(caught.value) and "HTTP 403" in str(caught.value)


def test_a_part_goes_on_at_another_address_only_where_a_checksum_will_tell(site, tmp_path):
    checksum = "sha256:" + hashlib.sha256(DATA).hexdigest()
    for folder, known in ((tmp_path / "known", checksum), (tmp_path / "unknown", "")):
        first = site.put("old/a.zip", DATA, drops=[70_000, 0, 0, 0])
        with pytest.raises(FetchError):
            download(Remote("a.zip", (first,), known), folder, lambda _: None, QUICK)
        site.asked.clear()
        second = site.put("new/a.zip", DATA, tag='"other"')
        download(Remote("a.zip", (second,), known), folder, lambda _: None, QUICK)
        assert (folder / "a.zip").read_bytes() == DATA
        assert site.asked == [("new/a.zip", "bytes=70000-" if known else None)]


def test_no_room_and_no_end(site, tmp_path, monkeypatch):
    with pytest.raises(FetchError, match="300.0 kB are announced, more than any known release"):
        get(site, tmp_path, Patience(most=1_000))
    with pytest.raises(FetchError, match="more than 1.0 kB came; stopped"):
        get(site, tmp_path / "endless", Patience(most=1_000), length=False)
    free = transfers.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(transfers.shutil, "disk_usage", lambda _: free)
    with pytest.raises(FetchError, match="300.0 kB to come, and 10 bytes free.*--to"):
        get(site, tmp_path / "full")


def test_a_disk_that_fills_up_is_said(site, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(transfers.Resuming, "_write", full)
    with pytest.raises(FetchError, match=r"a.zip: no space left on device; make room .*\(what came is kept\)"):
        get(site, tmp_path)


def test_two_processes_do_not_write_one_file(site, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    with open(tmp_path / "a.zip.part", "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FetchError, match="another process is fetching it"):
            get(site, tmp_path)


def test_words_of_progress_by_hand():
    assert [size_text(n) for n in (812, 3_400, 70_000, 1.25e6, 9.83e9)] == [
        "812 bytes",
        "3.4 kB",
        "70.0 kB",
        "1.2 MB",
        "9.8 GB",
    ]
    assert (
        progress_text("a.zip", 2 * 10**9, 8 * 10**9, 1e7) == "  a.zip: 2.0 GB of 8.0 GB (25 %), 10.0 MB/s, 10 min left"
    )
    assert progress_text("a.zip", 2 * 10**9, None, 1e7) == "  a.zip: 2.0 GB, 10.0 MB/s"
