"""The files of a project's MLflow in a bucket, by the way that its server takes: its repository, the door."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from tests.folders import open_folder
from tests.s3_server import S3Server

from phems.adapters.mlflow.file_door import FileDoor
from phems.adapters.s3.bucket import Bucket
from phems.adapters.s3.mlflow_files import S3MlflowFiles
from phems.adapters.s3.parts import PART
from phems.contract.mlflow import FILE_DIGEST, FILE_SCHEME, FILE_SOCKET
from phems.contract.unix_http import UnixConnection
from phems.mlflow_server.node_files import NodeFiles

LARGE = bytes(range(256)) * (PART // 256 * 2) + b"and a rest"
PAGE = 1000


@pytest.fixture
def place(s3: S3Server, bucket: str) -> Bucket:
    return Bucket(s3.client(), bucket, seconds=2)


@pytest.fixture
def door_of(place: Bucket) -> Iterator[Callable[[str], Path]]:
    """Opens the door of a project, and gives its socket."""
    with ExitStack() as stack:

        def opened(project: str) -> Path:
            folder = stack.enter_context(open_folder())
            stack.enter_context(FileDoor(folder, S3MlflowFiles(place, project)))
            return folder / FILE_SOCKET

        yield opened


@pytest.fixture
def lab(door_of: Callable[[str], Path]) -> NodeFiles:
    return NodeFiles(f"{FILE_SCHEME}://{door_of('lab')}")


def ask(socket: Path, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
    connection = UnixConnection(socket, host="node", seconds=30)
    connection.putrequest(method, target)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_files_of_every_size_come_back_as_they_were(lab: NodeFiles, tmp_path: Path) -> None:
    """Otherwise a model that was logged is another one when it is loaded."""
    source = tmp_path / "model"
    (source / "deep er").mkdir(parents=True)
    contents = {"MLmodel": b"flavors: {}\n", "empty": b"", "deep er/weights.bin": LARGE}
    for name, content in contents.items():
        (source / name).write_bytes(content)
    lab.log_artifacts(str(source), "1/run/artifacts/model")
    listed = {
        each.path: (each.is_dir, each.file_size) for each in lab.list_artifacts("1/run/artifacts/model")
    }
    assert listed == {
        "1/run/artifacts/model/MLmodel": (False, len(contents["MLmodel"])),
        "1/run/artifacts/model/empty": (False, 0),
        "1/run/artifacts/model/deep er": (True, None),
    }
    assert lab.list_artifacts("1/run/artifacts/model/MLmodel") == [], "a file is no folder"
    assert [each.path for each in lab.list_artifacts()] == ["1"]
    back = Path(lab.download_artifacts("1/run/artifacts/model", str(tmp_path)))
    assert {
        file.relative_to(back).as_posix(): file.read_bytes() for file in back.rglob("*") if file.is_file()
    } == contents


def test_a_file_that_is_not_there_is_told_as_mlflow_tells_it(lab: NodeFiles, tmp_path: Path) -> None:
    """Otherwise its client asks again, or shows an error of the node."""
    with pytest.raises(MlflowException) as raised:
        lab._download_file("1/none.txt", str(tmp_path / "none.txt"))
    assert raised.value.get_http_status_code() == HTTPStatus.NOT_FOUND


def test_a_folder_of_many_files_is_listed_whole(
    lab: NodeFiles, place: Bucket, s3: S3Server, bucket: str
) -> None:
    """Otherwise a step that reads all of what another logged reads some of it."""
    client: Any = s3.client()
    with ThreadPoolExecutor(16) as pool:
        for number in range(PAGE + 1):
            pool.submit(client.put_object, Bucket=bucket, Key=f".mlflow/lab/many/{number}", Body=b"x")
    assert {each.path for each in lab.list_artifacts("many")} == {f"many/{n}" for n in range(PAGE + 1)}
    assert sum(1 for _ in place.children(".mlflow/lab/many/")) == PAGE + 1


def test_a_server_reaches_the_files_of_its_project_alone(
    door_of: Callable[[str], Path], place: Bucket, s3: S3Server, bucket: str
) -> None:
    """Otherwise project code, through its own server, reads what another project's steps have written."""
    place.put("other/secret.csv", b"secret")
    place.put(".mlflow/other/secret.csv", b"secret")
    socket = door_of("lab")
    digest = {FILE_DIGEST.replace("-", "_"): hashlib.sha256(b"x").hexdigest(), "content_length": "1"}
    climbing = (
        "../other/secret.csv",
        "../../other/secret.csv",
        "a/../../other/secret.csv",
        "/",
        "a//b",
        "%00",
    )
    for path in (*climbing, "x" * 2000):
        for method, body in (("GET", b""), ("PUT", b"x")):
            status, said = ask(socket, method, f"/{path}", body, **(digest if body else {}))
            assert (status, "plain names" in said) == (HTTPStatus.BAD_REQUEST, True), (method, path, said)
    for folder in ("..", "../other", "a/.."):
        assert ask(socket, "GET", f"/?in={folder}")[0] == HTTPStatus.BAD_REQUEST
    found = s3.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [each["Key"] for each in found] == [".mlflow/other/secret.csv", "other/secret.csv"]


@pytest.mark.parametrize("content", [b"what was announced", LARGE], ids=["small", "large"])
def test_a_file_that_comes_otherwise_than_announced_is_not_kept(
    door_of: Callable[[str], Path], s3: S3Server, bucket: str, content: bytes
) -> None:
    """Otherwise half a model, or another one, lies under its name."""
    socket = door_of("lab")
    length, other = {"content_length": str(len(content))}, hashlib.sha256(b"other").hexdigest()
    status, said = ask(socket, "PUT", "/1/model", content, x_sha256=other, **length)
    assert (status, "not those announced" in said) == (HTTPStatus.BAD_REQUEST, True)
    assert ask(socket, "PUT", "/1/model", x_sha256=other)[0] == HTTPStatus.LENGTH_REQUIRED
    assert "Contents" not in s3.client().list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_file_that_was_changed_in_the_bucket_is_not_read(
    lab: NodeFiles, s3: S3Server, bucket: str, tmp_path: Path, content: bytes
) -> None:
    """Otherwise a model that somebody has put in the place of another is loaded as that."""
    s3.client().put_object(
        Bucket=bucket,
        Key=".mlflow/lab/1/model",
        Body=content,
        Metadata={"sha256": hashlib.sha256(b"what was stored").hexdigest()},
    )
    with pytest.raises(MlflowException, match="to its end"):
        lab._download_file("1/model", str(tmp_path / "model"))


def test_an_outage_is_told_and_the_next_file_is_kept(
    lab: NodeFiles, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    """Otherwise one bad minute ends a project's MLflow until somebody starts it again."""
    file = tmp_path / "one.txt"
    file.write_text("one")
    s3.stop()
    try:
        with pytest.raises(MlflowException, match="does not answer"):
            lab.log_artifact(str(file), "1")
    finally:
        s3.start()
    lab.log_artifact(str(file), "1")
    (found,) = s3.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"] == ".mlflow/lab/1/one.txt"
