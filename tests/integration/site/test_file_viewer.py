"""Looking at a frozen file in the node's pages: what checkers see of it, and that it cannot act on them."""

from __future__ import annotations

import base64
import io
import json
import re
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pyarrow import parquet
from tests.integration.api.api_site import PROJECT
from tests.integration.api.stories import asked
from tests.integration.site.browsed_site import BrowsedSite, words_of

from phems.adapters.file_viewer import SandboxedFileViewer
from phems.domain.file_views import FileQuery

RUN = "run-7"
DECLARED = {
    "kind": "frequency",
    "unit": "patients",
    "population": "cohort",
    "dimensions": ["sex", "stage"],
    "count": "patients",
}


def request_of(site: BrowsedSite, files: dict[str, bytes], declared: dict[str, Any] | None = None) -> Any:
    """Ana's request for files of a run; with `declared`, what she says of each."""
    for name, content in files.items():
        path = f"outputs/{RUN}/{name}"
        place = site.node.paths.data_dir / "artifacts" / PROJECT / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        site.node.outputs.register_output(PROJECT, RUN, "make", path, declaration=declared)
    body = {"run": RUN, "groups": [{"context": "Some", "controls": "Rounded"}]}
    answer = site.post("ana", f"/projects/{PROJECT}/release-requests", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def address_of(request: Any, name: str, **query: Any) -> str:
    """Where a file is looked at."""
    [file] = [file for file in request["files"] if file["name"] == name]
    more = "".join(f"&{key}={quote(str(value))}" for key, value in query.items())
    return f"/releases/{request['id']}/file?path={quote(file['path'])}{more}"


def column(page: str, number: int) -> list[str]:
    """The cells of one column of a shown table, without what stands beside them."""
    rows = re.findall(r"<tr><th scope=\"row\".*?</tr>", page, flags=re.DOTALL)
    return [words_of(re.sub(r"<a .*?</a>", "", re.findall(r"<td.*?</td>", row)[number])) for row in rows]


def test_a_table_is_paged_sorted_and_searched_on_the_server(site: BrowsedSite) -> None:
    """Otherwise nobody could find the one row that matters among thousands."""
    rows = "".join(f"band {number % 7},{number}\n" for number in range(1, 351))
    request = request_of(site, {"big.csv": b"band,patients\n" + rows.encode()})
    omar = site.browser("omar")
    first = omar.get(address_of(request, "big.csv")).text
    assert "350 rows" in words_of(first)
    assert "Page 1 of 4" in first
    assert column(first, 1)[:2] == ["1", "2"]
    last = omar.get(address_of(request, "big.csv", page=4)).text
    assert column(last, 1)[-1] == "350"
    down = omar.get(address_of(request, "big.csv", sort=2, order="down")).text
    assert column(down, 1)[:3] == ["350", "349", "348"]
    up = omar.get(address_of(request, "big.csv", sort=2)).text
    assert column(up, 1)[:3] == ["1", "2", "3"]
    found = omar.get(address_of(request, "big.csv", search="BAND 3", sort=2)).text
    assert "50 rows" in words_of(found)
    assert set(column(found, 0)) == {"band 3"}


def test_what_checks_found_stands_beside_the_cells_it_concerns(site: BrowsedSite) -> None:
    """Otherwise a checker would have to count rows to see which patients could be known."""
    text = b"sex,stage,patients\nf,I,120\nf,II,4\nm,I,140\nm,II,66\n"
    request = request_of(site, {"by.csv": text}, DECLARED)
    page = site.browser("omar").get(address_of(request, "by.csv")).text
    [found] = re.findall(r'<td class="[^"]*found">.*?</td>', page)
    assert words_of(found).startswith("4 small-cells: fail")
    only = site.browser("omar").get(address_of(request, "by.csv", only="found")).text
    assert column(only, 2) == ["4"]


def test_a_parquet_table_is_read_as_any_other(site: BrowsedSite) -> None:
    """Otherwise checkers would vote on a binary file unseen."""
    site.node.spec.policies["default"].__dict__["file_types"] = ("parquet",)
    written = io.BytesIO()
    parquet.write_table(pa.table({"sex": ["f", "m"], "patients": [120, 140]}), written)
    request = request_of(site, {"t.parquet": written.getvalue()})
    page = site.browser("omar").get(address_of(request, "t.parquet")).text
    assert column(page, 1) == ["120", "140"]


def test_a_picture_is_drawn_anew_and_carries_nothing_else(site: BrowsedSite) -> None:
    """Otherwise a picture could bring a browser what is no pixel."""
    written = io.BytesIO()
    cargo = PngInfo()
    cargo.add_text("Comment", "hidden cargo")
    Image.new("RGB", (30, 20), "navy").save(written, "PNG", pnginfo=cargo)
    assert b"hidden cargo" in written.getvalue()
    request = request_of(site, {"plot.png": written.getvalue()})
    page = site.browser("omar").get(address_of(request, "plot.png")).text
    [shown] = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    drawn = base64.b64decode(shown)
    assert Image.open(io.BytesIO(drawn)).size == (30, 20)
    assert b"cargo" not in drawn


def test_json_hides_no_key_that_comes_twice(site: BrowsedSite) -> None:
    """Otherwise a value could leave that no checker ever saw."""
    request = request_of(site, {"m.json": b'{"n": 4210, "n": 3, "p": 0.10, "name": "<b>x</b>"}'})
    page = site.browser("omar").get(address_of(request, "m.json")).text
    words = words_of(page)
    assert "n : 4210" in words
    assert "n : 3" in words
    assert "0.10" in words
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_a_text_is_shown_in_pages_and_never_as_markup(site: BrowsedSite) -> None:
    """Otherwise a log could act as who reads it."""
    lines = "".join(f"line {number}\n" for number in range(1, 1201))
    request = request_of(site, {"log.txt": lines.encode() + b"<q>alert(1)</q>\x0b\n"})
    omar = site.browser("omar")
    first = omar.get(address_of(request, "log.txt"))
    assert "Page 1 of 3" in first.text
    last = omar.get(address_of(request, "log.txt", page=3)).text
    assert "&lt;q&gt;alert(1)" in last
    assert "[U+000B]" in last
    assert "unsafe" not in first.headers["content-security-policy"]


def test_a_file_that_cannot_be_shown_says_so_and_can_be_saved(site: BrowsedSite) -> None:
    """Otherwise a broken or hostile file would break the page, or be opened by a browser."""
    request = request_of(site, {"broken.json": b'{"a": ' + b"[" * 100_000, "x.txt": b"plain\n"})
    omar = site.browser("omar")
    assert omar.get(address_of(request, "broken.json")).status_code == 200
    saved = omar.get(address_of(request, "x.txt").replace("/file?", "/file/bytes?"))
    assert saved.content == b"plain\n"
    assert saved.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in saved.headers["content-security-policy"]


def test_each_look_is_in_the_audit_log_by_digest(site: BrowsedSite) -> None:
    """Otherwise nobody could tell who saw what did not leave."""
    request = asked(site)
    site.browser("omar").get(address_of(request, "table.csv"))
    [entry] = [entry for entry in site.entries() if entry.action == "release.view"]
    assert entry.actor == "omar"
    assert entry.details["file"] == request["files"][0]["sha256"]
    assert "table.csv" not in json.dumps(entry.details)


def test_a_vote_in_the_viewer_leads_to_the_next_file_that_waits(site: BrowsedSite) -> None:
    """Otherwise reviewing fifty files would be a hundred clicks."""
    request = request_of(site, {"a.txt": b"a\n", "b.txt": b"b\n"})
    omar = site.browser("omar")
    first, second = request["files"]
    fields = {"turn": "1", f"vote:{first['path']}": "CHANGES_REQUESTED"}
    after = omar.send(address_of(request, "a.txt"), "vote", **fields)
    assert "<h1>b.txt</h1>" in after.text
    assert "Your vote was recorded." in after.text
    silent = omar.send(address_of(request, "b.txt"), "vote", turn="1")
    assert "There is no vote to record." in silent.text
    fields = {"turn": "1", f"vote:{second['path']}": "CHANGES_REQUESTED"}
    done = omar.send(address_of(request, "b.txt"), "vote", **fields)
    assert "You have voted on every file" in words_of(done.text)


@pytest.mark.parametrize("path", ["../../../etc/passwd", "outputs/run-7/none.csv", ""])
def test_no_path_leads_to_another_file(site: BrowsedSite, path: str) -> None:
    """Otherwise the viewer would read whatever the node can."""
    request = asked(site)
    for end in ("file", "file/bytes"):
        answer = site.browser("omar").get(f"/releases/{request['id']}/{end}?path={quote(path)}")
        assert answer.status_code == 404
    assert site.browser("ben").get(address_of(request, "table.csv")).status_code == 404


def test_what_takes_a_reader_over_reaches_nothing_of_the_node(site: BrowsedSite) -> None:
    """Files are hostile: whoever parses one must be walled off, and a stopped reader is no error page."""
    assert SandboxedFileViewer().is_isolating
    request = asked(site)
    path = request["files"][0]["path"]
    frozen = site.node.paths.data_dir / "releases" / request["id"] / "frozen" / "1" / path
    frozen.unlink()
    # The file is gone: the reader fails in its own process.
    view = site.node.file_views.view(_omar(), request["id"], path, FileQuery())
    assert view.kind == "none"
    assert "cannot be read" in view.note


def _omar() -> Any:
    from phems.domain.actors import Actor

    return Actor("omar")
