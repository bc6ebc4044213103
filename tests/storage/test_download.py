from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurodata.errors import ChecksumError, DownloadError, StorageError
from neurodata.storage import download, figshare_url, read_json
from neurodata.storage._http import RefusedError, _SafeRedirects
from tests.loopback import Handler, Loopback, fixed, ignore_range, serve

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes: two pieces of reading
OTHER = CONTENT[::-1]
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "gestures.tar.gz"


def fetch(target: Path, *urls: str, **changes: Any) -> None:
    download(urls, target, **{"checksum": MD5, "timeout_s": 5.0, "attempts": 3, "backoff_s": 0.01} | changes)


def part(target: Path) -> Path:
    return target.with_name("gestures.tar.gz.part")


def visible(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("checksum", [MD5, SHA256, MD5.upper().replace("MD5", "md5")])
def test_file_appears_under_its_name_and_nothing_else_stays(server: Loopback, target: Path, checksum: str) -> None:
    fetch(target, server.url("file", serve(CONTENT)), checksum=checksum, size_bytes=len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert visible(target) == ["gestures.tar.gz"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o600 == 0o600


def test_present_file_is_verified_and_not_fetched(server: Loopback, target: Path) -> None:
    url = server.url("file", serve(CONTENT))
    fetch(target, url)
    fetch(target, url)
    assert len(server.asked) == 1


def test_present_file_with_other_bytes_is_refused_and_left_alone(server: Loopback, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(OTHER)
    with pytest.raises(ChecksumError, match=rf"{target.name}: md5 is \w+, expected {MD5[4:]} .*delete it"):
        fetch(target, server.url("file", serve(CONTENT)))
    assert target.read_bytes() == OTHER
    assert server.asked == []


def test_cut_connection_is_resumed_where_it_stopped(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", serve(CONTENT, cut=1000), serve(CONTENT, cut=300_000), serve(CONTENT)))
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-", "bytes=301000-"]
    assert [asked.if_range for asked in server.asked] == [None, '"v1"', '"v1"']


def test_stalled_connection_is_resumed_without_losing_a_byte(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", serve(CONTENT, cut=1000, stall=True), serve(CONTENT)), timeout_s=0.2)
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-"]


def test_server_that_never_answers_is_given_up(server: Loopback, target: Path) -> None:
    silence = serve(CONTENT, cut=0, stall=True)
    with pytest.raises(DownloadError, match=r"stalled: nothing came in time \(2 failures in a row\)"):
        fetch(target, server.url("file", silence), timeout_s=0.1, attempts=2)
    assert visible(target) == []


def test_later_run_goes_on_where_an_earlier_one_gave_up(server: Loopback, target: Path) -> None:
    url = server.url("file", serve(CONTENT, cut=1000), fixed(500))
    with pytest.raises(
        DownloadError, match=r"500 Internal Server Error.*\n1,000 bytes are kept in gestures.tar.gz.part"
    ):
        fetch(target, url)
    assert visible(target) == ["gestures.tar.gz.part", "gestures.tar.gz.part.json"]
    url = server.url("file", serve(CONTENT))
    fetch(target, url)
    assert target.read_bytes() == CONTENT
    assert (server.asked[-1].range, server.asked[-1].if_range) == ("bytes=1000-", '"v1"')
    assert visible(target) == ["gestures.tar.gz"]


def test_last_modified_stands_in_for_a_weak_etag(server: Loopback, target: Path) -> None:
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    answers = [serve(CONTENT, etag='W/"weak"', Last_Modified=date, cut=cut) for cut in (1000, None)]
    fetch(target, server.url("file", *answers))
    assert [asked.if_range for asked in server.asked] == [None, date]


def test_without_validator_range_alone_is_asked(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", serve(CONTENT, etag=None, cut=1000), serve(CONTENT, etag=None)))
    assert [(asked.range, asked.if_range) for asked in server.asked] == [(None, None), ("bytes=1000-", None)]


def test_file_that_changed_between_attempts_is_fetched_from_the_start(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", serve(OTHER, etag='"old"', cut=1000), serve(CONTENT, etag='"new"')))
    assert target.read_bytes() == CONTENT
    assert server.asked[-1].if_range == '"old"'


def test_pieces_of_two_versions_are_thrown_away_and_the_whole_is_fetched(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", serve(OTHER, etag=None, cut=1000), serve(CONTENT, etag=None)))
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-", None]


def test_server_that_ignores_range_starts_over_cleanly(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", ignore_range(CONTENT, cut=1000), ignore_range(CONTENT)))
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-"]


def test_server_that_ignores_range_and_always_cuts_is_given_up(server: Loopback, target: Path) -> None:
    with pytest.raises(DownloadError, match=r"cut after 1,000 of 512,000 bytes \(3 failures in a row\)"):
        fetch(target, server.url("file", ignore_range(CONTENT, cut=1000)))
    assert len(server.asked) == 3


def test_server_that_cuts_often_is_borne_with_while_it_delivers(
    server: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurodata.storage._download._WORTHWHILE_BYTES", 50_000)
    fetch(target, server.url("file", serve(CONTENT, cut=60_000)), attempts=2)
    assert target.read_bytes() == CONTENT
    assert len(server.asked) == 9  # ceil(512,000 / 60,000)


def test_416_asks_for_the_whole_file(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", serve(CONTENT, cut=1000), fixed(416, Content_Range="bytes */9"), serve(CONTENT)))
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-", None]


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 0-511999/512000",  # another start than the one asked for
        "bytes 1000-1/512000",  # ends before it starts
        "bytes */512000",
        "1000-",
        "",
    ],
)
def test_wrong_content_range_asks_for_the_whole_file(server: Loopback, target: Path, content_range: str) -> None:
    wrong = fixed(206, CONTENT, Content_Range=content_range, Content_Length=len(CONTENT))
    fetch(target, server.url("file", serve(CONTENT, cut=1000), wrong, serve(CONTENT)))
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-", None]


def test_shorter_range_than_asked_for_is_continued(server: Loopback, target: Path) -> None:
    piece = fixed(206, CONTENT[1000:2000], Content_Range="bytes 1000-1999/512000", Content_Length=1000)
    fetch(target, server.url("file", serve(CONTENT, cut=1000), piece, serve(CONTENT)))
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-", "bytes=2000-"]


def test_content_length_beyond_the_file_does_no_harm(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", fixed(200, CONTENT, Content_Length=len(CONTENT) + 7)))
    assert target.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_content_length_short_of_the_file_gives_no_file(server: Loopback, target: Path) -> None:
    short = fixed(200, CONTENT, Content_Length=1000)
    with pytest.raises(ChecksumError, match=rf"delivered 1,000 bytes with md5 \w+, expected {MD5[4:]}"):
        fetch(target, server.url("file", short))
    assert visible(target) == []


def test_announced_size_other_than_the_published_one_is_not_fetched(server: Loopback, target: Path) -> None:
    with pytest.raises(DownloadError, match="announces 512,000 bytes, expected 17: another file or version"):
        fetch(target, server.url("file", serve(CONTENT)), size_bytes=17)
    assert visible(target) == []


def test_unannounced_bytes_beyond_the_published_size_are_not_taken(server: Loopback, target: Path) -> None:
    with pytest.raises(ChecksumError, match="expected"):
        fetch(target, server.url("file", fixed(200, OTHER + OTHER)), size_bytes=len(CONTENT))
    assert visible(target) == []


def test_unannounced_end_is_believed_only_with_the_checksum(server: Loopback, target: Path) -> None:
    fetch(target, server.url("file", fixed(200, CONTENT[:1000]), fixed(200, CONTENT)))
    assert target.read_bytes() == CONTENT


def test_chunked_body_is_read_and_a_cut_one_resumed(server: Loopback, target: Path) -> None:
    def chunked(handler: Handler, end: bytes = b"0\r\n\r\n") -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(CONTENT), CONTENT) + end)

    def cut(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.head(200, Transfer_Encoding="chunked")
        handler.wfile.write(b"%x\r\n%b" % (len(CONTENT), CONTENT[:1000]))

    fetch(target, server.url("file", cut, chunked))
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=1000-"]


def test_wrong_bytes_leave_nothing_and_the_message_says_found_and_expected(server: Loopback, target: Path) -> None:
    with pytest.raises(ChecksumError, match=hashlib.md5(OTHER).hexdigest()) as error:
        fetch(target, server.url("file", serve(OTHER)))
    assert MD5[4:] in str(error.value)
    assert f"{target}: could not be downloaded" in str(error.value)
    assert "put it at that path" in str(error.value)
    assert "--source" in str(error.value)
    assert len(server.asked) == 1
    assert visible(target) == []


def test_next_address_is_tried_and_all_answers_are_listed(server: Loopback, target: Path) -> None:
    urls = [server.url(str(status), fixed(status, b"x" * 99, Content_Length=99)) for status in (404, 403, 410, 401)]
    with pytest.raises(DownloadError) as error:
        fetch(target, *urls)
    for url, answer in zip(urls, ("404 Not Found", "403 Forbidden", "410 Gone", "401 Unauthorized"), strict=True):
        assert f"{url}: {answer}" in str(error.value)
    assert len(server.asked) == 4
    fetch(target, *urls, server.url("mirror", serve(CONTENT)))
    assert target.read_bytes() == CONTENT


def test_part_from_one_address_is_continued_from_the_next(server: Loopback, target: Path) -> None:
    first = server.url("first", serve(CONTENT, cut=1000), fixed(404))
    fetch(target, first, server.url("second", serve(CONTENT, etag='"other host"')))
    assert target.read_bytes() == CONTENT
    assert [(asked.range, asked.if_range) for asked in server.asked] == [
        (None, None),
        ("bytes=1000-", '"v1"'),
        ("bytes=1000-", None),  # an ETag means nothing to another server
    ]


def test_202_without_bytes_is_explained(server: Loopback, target: Path) -> None:
    url = server.url("figshare/ndownloader/files/1", fixed(202, Content_Length=0))
    with pytest.raises(
        DownloadError, match=r"202 Accepted: a challenge that only browsers pass.*api\.figshare\.com/v2"
    ):
        fetch(target, url)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (b"", "200 with 0 bytes"),
        (b"\n <!DOCTYPE html><p>Are you human?", "a web page instead of the file"),
        (b"<HTML><body>Sign in", "a web page instead of the file"),
    ],
)
def test_page_instead_of_the_file_does_not_cost_the_part(
    server: Loopback, target: Path, body: bytes, finding: str
) -> None:
    page = fixed(200, body, Content_Length=len(body))
    with pytest.raises(DownloadError, match=finding):
        fetch(target, server.url("file", serve(CONTENT, cut=1000), page))
    assert part(target).read_bytes() == CONTENT[:1000]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again(server: Loopback, target: Path, status: int) -> None:
    fetch(target, server.url("file", fixed(status, Retry_After="0"), serve(CONTENT)))
    assert target.read_bytes() == CONTENT


def test_pauses_double_up_to_a_minute_and_obey_retry_after(
    server: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses_s: list[float] = []
    monkeypatch.setattr("time.sleep", pauses_s.append)
    busy = fixed(503)
    url = server.url("file", busy, busy, fixed(503, Retry_After="30"), busy, fixed(503, Retry_After="9999"), busy)
    with pytest.raises(DownloadError):
        fetch(target, url, attempts=9, backoff_s=1.0)
    assert [pause_s for pause_s in pauses_s if pause_s >= 1] == [1, 2, 30, 8, 60, 32, 60, 60]


def test_refused_connection_and_nonsense_are_named(server: Loopback, target: Path) -> None:
    def nonsense(handler: Handler) -> None:
        handler.wfile.write(b"\x00\xff nonsense\r\n\r\n")

    with pytest.raises(DownloadError, match=r"no connection: .*refused(.|\n)*connection lost: "):
        fetch(target, "http://127.0.0.1:9/file", server.url("file", nonsense), attempts=1)


def test_redirect_is_followed_with_its_range(server: Loopback, target: Path) -> None:
    server.url("real", serve(CONTENT, cut=1000), serve(CONTENT))
    fetch(target, server.url("file", fixed(302, Location="/real", Content_Length=0)))
    assert target.read_bytes() == CONTENT
    assert [(asked.path, asked.range) for asked in server.asked] == [
        ("/file", None),
        ("/real", None),
        ("/file", "bytes=1000-"),
        ("/real", "bytes=1000-"),
    ]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://[bad"])
def test_redirect_to_anything_but_http_is_refused(server: Loopback, target: Path, location: str) -> None:
    with pytest.raises(DownloadError, match=r"302|not an address"):
        fetch(target, server.url("file", fixed(302, Location=location, Content_Length=0)))
    assert len(server.asked) == 1


def test_endless_redirect_ends(server: Loopback, target: Path) -> None:
    with pytest.raises(DownloadError, match="302"):
        fetch(target, server.url("file", fixed(302, Location="/file", Content_Length=0)))


def test_redirect_from_https_to_http_is_refused() -> None:
    from email.message import Message
    from io import BytesIO
    from urllib.request import Request

    arguments: Any = (BytesIO(), 301, "Moved", Message(), "http://example.org/file")
    with pytest.raises(RefusedError, match=r"301 redirects from https to http://example\.org/file, which is not safe"):
        _SafeRedirects().redirect_request(Request("https://example.org/file"), *arguments)
    assert _SafeRedirects().redirect_request(Request("http://example.org/file"), *arguments) is not None


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "/etc/passwd", ""])
def test_other_schemes_than_http_are_refused(target: Path, url: str) -> None:
    with pytest.raises(DownloadError, match="only http and https"):
        fetch(target, url)


def test_no_address_says_what_to_do(target: Path) -> None:
    with pytest.raises(DownloadError, match=r"no address is known(.|\n)*by hand"):
        fetch(target)


def test_ctrl_c_leaves_the_part_for_the_next_run(server: Loopback, target: Path) -> None:
    def interrupt(stage: str, done: int, total: int | None, unit: str) -> None:
        if stage == "download gestures.tar.gz":
            raise KeyboardInterrupt

    url = server.url("file", serve(CONTENT))
    with pytest.raises(KeyboardInterrupt):
        fetch(target, url, progress=interrupt)
    kept = part(target).stat().st_size
    assert 0 < kept < len(CONTENT)
    fetch(target, url)
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, f"bytes={kept}-"]


def test_killed_run_leaves_the_part_for_the_next_one(
    server: Loopback, target: Path, run_until_killed: Callable[..., None]
) -> None:
    url = server.url("file", serve(CONTENT, cut=300_000, stall=True), serve(CONTENT))
    program = """
import sys; from pathlib import Path; from neurodata.storage import download
def tell(stage, done, total, unit):
    if done == 300_000: print("ready", flush=True)
download([sys.argv[1]], Path(sys.argv[2]), checksum=sys.argv[3], progress=tell)
"""
    run_until_killed(program, url, target, MD5)
    assert not target.exists()
    fetch(target, url)
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=300000-"]


def test_full_disk_keeps_the_part(server: Loopback, target: Path, largest_file: Callable[[int], None]) -> None:
    url = server.url("file", serve(CONTENT))
    largest_file(300_000)
    with pytest.raises(
        StorageError, match=r"gestures.tar.gz.part: cannot write: the file system takes no files of this"
    ):
        fetch(target, url)
    largest_file(10_000_000)
    assert part(target).read_bytes() == CONTENT[:300_000]
    fetch(target, url)
    assert target.read_bytes() == CONTENT
    assert server.ranges() == [None, "bytes=300000-"]


def test_disk_too_small_is_said_before_the_download(
    server: Loopback, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1234}))
    with pytest.raises(StorageError, match="needs 512,000 bytes, the disk has 1,234 left"):
        fetch(target, server.url("file", serve(CONTENT)))
    assert visible(target) == []


def test_complete_part_needs_no_request(server: Loopback, target: Path) -> None:
    target.parent.mkdir()
    part(target).write_bytes(CONTENT)
    fetch(target, server.url("file", serve(CONTENT)))
    assert target.read_bytes() == CONTENT
    assert server.asked == []


@pytest.mark.parametrize("stale", [CONTENT + b"x", OTHER])
def test_part_that_is_as_long_as_the_file_but_wrong_is_replaced(server: Loopback, target: Path, stale: bytes) -> None:
    target.parent.mkdir()
    part(target).write_bytes(stale)
    fetch(target, server.url("file", serve(CONTENT)))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("note", ["{", "[]", '{"checksum": 3}', '{"url": null, "validator": {}}'])
def test_damaged_note_costs_nothing_but_the_validator(server: Loopback, target: Path, note: str) -> None:
    target.parent.mkdir()
    part(target).write_bytes(CONTENT[:1000])
    part(target).with_name("gestures.tar.gz.part.json").write_text(note)
    fetch(target, server.url("file", serve(CONTENT)))
    assert target.read_bytes() == CONTENT


def test_part_of_a_file_with_another_checksum_is_not_continued(server: Loopback, target: Path) -> None:
    url = server.url("file", serve(OTHER, cut=1000), fixed(404))
    with pytest.raises(DownloadError):
        fetch(target, url, checksum=f"md5:{hashlib.md5(OTHER).hexdigest()}")
    assert read_json(part(target).with_name("gestures.tar.gz.part.json"))["validator"] == '"v1"'
    fetch(target, server.url("file", serve(CONTENT)))
    assert server.ranges()[-1] is None


def test_progress_counts_what_is_there_up_to_the_whole(server: Loopback, target: Path) -> None:
    told: list[tuple[int, int | None, str]] = []
    url = server.url("file", serve(CONTENT, cut=1000), serve(CONTENT))
    fetch(target, url, progress=lambda stage, done, total, unit: told.append((done, total, unit)))
    done = [entry[0] for entry in told]
    assert done == sorted(done)
    assert told[0] == (1000, len(CONTENT), "B")
    assert told[-1] == (len(CONTENT), len(CONTENT), "B")


def test_two_runs_that_want_the_same_file_fetch_it_once(server: Loopback, target: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    url = server.url("file", serve(CONTENT))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(target, url), range(4)))
    assert target.read_bytes() == CONTENT
    assert len(server.asked) == 1


@pytest.mark.parametrize("checksum", ["", "md5", "md5:", "md5:abc", "crc32:12345678", "sha256:" + "g" * 64])
def test_checksum_that_is_none_is_refused(target: Path, checksum: str) -> None:
    with pytest.raises(ValueError, match="expected 'md5:' and 32, or 'sha256:' and 64"):
        fetch(target, "http://127.0.0.1:9/", checksum=checksum)


def test_figshare_is_asked_at_its_api() -> None:
    assert figshare_url(38020584) == "https://api.figshare.com/v2/file/download/38020584"
