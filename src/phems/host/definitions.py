"""A project's definitions, loaded once in the host's life, before any thread and any fork."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from phems.contract.step_order import HostOrder
from phems.errors import InputError, RefusedError
from phems.host._dagster import (
    LoadableTargetOrigin,
    LoadedRepositories,
    ReconstructableRepository,
    serializable_error_info_from_exc_info,
)


@dataclass(frozen=True)
class LoadedDefinitions:
    """What the host has loaded: the origin for the code server, the repository for steps."""

    origin: LoadableTargetOrigin
    repository: ReconstructableRepository


def load(order: HostOrder) -> LoadedDefinitions:
    """Import the project's module; raises `InputError` with the project's own traceback as the reason."""
    root = str(Path(order.root))
    if root not in sys.path:
        sys.path.insert(0, root)
    origin = LoadableTargetOrigin(
        executable_path=sys.executable, module_name=order.module, working_directory=root
    )
    try:
        loaded = LoadedRepositories(
            origin, container_image=None, entry_point=["dagster"], container_context=None
        )
        (repository,) = loaded.reconstructables_by_name.values()
    except (Exception, SystemExit) as error:
        text = serializable_error_info_from_exc_info(sys.exc_info()).to_string()
        raise InputError(f"The definitions in {order.module} do not load.", why=text) from error
    _check_asset_prefix(repository, order)
    return LoadedDefinitions(origin, repository)


def _check_asset_prefix(repository: ReconstructableRepository, order: HostOrder) -> None:
    # Said here for the author's sake, early and with a remedy; the control plane checks it again
    # from the snapshot, because this process is the project's.
    graph = repository.get_definition().asset_graph
    keys = {*graph.executable_asset_keys, *(check.asset_key for check in graph.asset_check_keys)}
    foreign = sorted(key.to_user_string() for key in keys if key.path[0] != order.asset_prefix)
    if foreign:
        raise RefusedError(
            f"The project {order.project} defines assets or checks outside its prefix: {', '.join(foreign)}.",
            why=f"Every asset key of this project must begin with {order.asset_prefix!r}, "
            "so that no project can write under another's name.",
            remedy=f'Give the assets key_prefix="{order.asset_prefix}".',
        )
