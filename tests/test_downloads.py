"""What vouches for a downloaded file: a checksum that is known, or the one of the first time."""

from __future__ import annotations

import hashlib

import pytest
from local_site import serving

from studylib.data.downloads import Remote, download
from studylib.data.transfers import FetchError, Patience

DATA = b"an archive" * 1000
SHA, MD5 = hashlib.sha256(DATA).hexdigest(), hashlib.md5(DATA).hexdigest()
QUICK = Patience(attempts=2, wait=0.001)


@pytest.fixture
def site():
    with serving() as site:
        yield site


def get(address, tmp_path, checksum="") -> list[str]:
    said = []
    assert download(Remote("a.zip", (address,), checksum), tmp_path, said.append, QUICK) == tmp_path / "a.zip"
    return said


@pytest.mark.parametrize("checksum", [f"sha256:{SHA}", f"md5:{MD5}"])
def test_a_known_checksum_is_compared_and_the_file_fetched_once(site, tmp_path, checksum):
    address = site.put("a.zip", DATA)
    assert get(address, tmp_path, checksum) == [f"a.zip: 10.0 kB, {site.address[7:]}", "a.zip: 10.0 kB, checksum right"]
    assert get(address, tmp_path, checksum) == ["a.zip: is there already, 10.0 kB, checksum right"]
    assert len(site.asked) == 1 and {path.name for path in tmp_path.iterdir()} == {"a.zip"}


def test_wrong_bytes_are_not_kept(site, tmp_path):
    wrong = b"other bytes"
    with pytest.raises(FetchError) as caught:
        get(site.put("a.zip", wrong), tmp_path, f"sha256:{SHA}")
    text = str(caught.value)
    assert hashlib.sha256(wrong).hexdigest() in text and SHA in text and "127.0.0.1" in text and "not kept" in text
    assert not list(tmp_path.iterdir())


def test_without_a_known_checksum_the_first_one_is_said_kept_and_compared(site, tmp_path):
    address = site.put("a.zip", DATA)
    said = get(address, tmp_path)
    assert "no checksum is known, so nothing vouches" in said[1] and SHA in said[2] and "a.zip.sha256" in said[2]
    assert (tmp_path / "a.zip.sha256").read_text() == f"{SHA}  a.zip\n"  # what sha256sum -c reads
    assert get(address, tmp_path) == ["a.zip: is there already, 10.0 kB, SHA-256 as the first time"]
    (tmp_path / "a.zip").unlink()
    assert get(address, tmp_path)[1:] == ["a.zip: 10.0 kB, SHA-256 as the first time"]
    (tmp_path / "a.zip").unlink()
    site.put("a.zip", DATA + b"changed")
    with pytest.raises(FetchError, match=rf"a.zip.sha256 has from the first time sha256:{SHA}.*remove a.zip.sha256"):
        get(address, tmp_path)
    assert not (tmp_path / "a.zip").exists()


def test_a_file_that_was_damaged_here_is_fetched_again(site, tmp_path):
    address = site.put("a.zip", DATA)
    (tmp_path / "a.zip").write_bytes(DATA[:-1] + b"!")
    assert get(address, tmp_path, f"md5:{MD5}")[1:] == ["a.zip: 10.0 kB, checksum right"]
    assert (tmp_path / "a.zip").read_bytes() == DATA
