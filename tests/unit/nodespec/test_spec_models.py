"""The models: what other parts read from a spec, and what the schema and the reference say of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML

from phems.errors import InputError, NotFoundError
from phems.nodespec import Database, NodeSpec, load_node, node_paths, node_schema, parse_node, read_node_text

ROOT = Path(__file__).parents[3]


def models(kind: Any = NodeSpec) -> set[type[BaseModel]]:
    found = {kind} if isinstance(kind, type) and issubclass(kind, BaseModel) else set()
    inner = [field.annotation for model in found for field in model.model_fields.values()] or get_args(kind)
    return found.union(*(models(part) for part in inner)) if inner else found


def test_every_key_is_described_for_the_person_who_writes_it() -> None:
    assert len(models()) >= 15
    for model in models():
        assert model.__doc__, model
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"


def test_a_spec_that_was_read_cannot_be_changed_under_others(full: str) -> None:
    spec = parse_node(full)
    with pytest.raises(ValidationError):
        spec.gateway.port = 1


def test_an_unknown_project_is_not_found_and_the_known_are_named(full: str) -> None:
    with pytest.raises(NotFoundError, match="Projects here: breast-cancer, heart-attack"):
        parse_node(full).project("heart")


def test_one_project_or_all_are_named(full: str) -> None:
    """What a command with --project goes through: a slip in the name is told, not passed over."""
    spec = parse_node(full)
    assert spec.project_names() == list(spec.projects)
    assert spec.project_names("heart-attack") == ["heart-attack"]
    with pytest.raises(NotFoundError, match="heart"):
        spec.project_names("heart")


def test_a_database_address_from_the_environment_is_read_there_and_missed_by_name() -> None:
    assert Database().address({}) is None
    assert Database(url="postgresql://h/d").address({}) == "postgresql://h/d"
    assert Database(url="env:URL").address({"URL": "postgresql://h/d"}) == "postgresql://h/d"
    with pytest.raises(InputError, match="URL is not set"):
        Database(url="env:URL").address({})


def test_paths_are_absolute_and_stay_the_same_from_any_folder(full: str, tmp_path: Path) -> None:
    paths = node_paths(parse_node(full), tmp_path / "x" / "..", uid=7)
    assert paths.folder == tmp_path
    assert paths.postgres == tmp_path / "data" / "postgres"
    assert paths.artifacts("p") == tmp_path / "data" / "artifacts" / "p"
    assert paths.code_mount("p") == tmp_path / "data" / "code" / "p"
    assert paths.release_zone == tmp_path / "releases"
    assert paths.checkpoint == tmp_path / "data" / "audit" / "checkpoint"
    assert (paths.lock, paths.keys, paths.logs) == tuple(
        tmp_path / "data" / n for n in ("lock", "keys", "logs")
    )
    assert paths.resolve("../y") == tmp_path.parent / "y"
    assert paths.resolve("/etc") == Path("/etc")
    assert paths.spec == tmp_path / "node.yaml"


def test_sockets_fit_the_limit_and_two_names_of_a_folder_share_them(full: str, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    (tmp_path / "link").symlink_to(deep)
    spec = parse_node(full)
    one, other = (node_paths(spec, folder).runtime_dir for folder in (deep, tmp_path / "link"))
    assert one == other
    assert len(str(one)) < 40
    assert node_paths(spec, tmp_path).runtime_dir != one


def test_editors_accept_what_the_node_accepts(full: str) -> None:
    schema = node_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    plain = YAML(typ="safe", pure=True).load(full.replace("2030-12-31", '"2030-12-31"'))
    jsonschema.validate(plain, schema)
    assert schema["$defs"]["Code"]["properties"]["module"].get("default") is None


@pytest.mark.parametrize("change", [("port: 3000", "port: x"), ("roles:", "rolls:"), ("2GiB", "2GiBB")])
def test_editors_refuse_what_the_node_refuses(full: str, change: tuple[str, str]) -> None:
    plain = YAML(typ="safe", pure=True).load(full.replace("2030-12-31", '"2030-12-31"').replace(*change))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(plain, node_schema())


def test_the_reference_page_says_what_the_models_say() -> None:
    """A key that the page does not know, or that is gone, sends people the wrong way: run `make docs`."""
    loaded = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert loaded is not None
    assert loaded.loader is not None
    generate = importlib.util.module_from_spec(loaded)
    loaded.loader.exec_module(generate)
    page = (ROOT / "docs" / "reference" / "node-spec.md").read_text(encoding="utf-8")
    assert page == generate.node_spec_page()


def test_a_spec_is_read_from_its_folder_or_by_its_name(full: str, tmp_path: Path) -> None:
    (tmp_path / "node.yaml").write_text("\ufeff" + full, encoding="utf-8")
    assert load_node(tmp_path) == load_node(tmp_path / "node.yaml") == parse_node(full)


def test_a_spec_that_cannot_be_read_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="phems init"):
        load_node(tmp_path)
    (tmp_path / "node.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        load_node(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="cannot be read"):
        read_node_text(tmp_path / "loop")
