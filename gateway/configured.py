"""Which configuration and which data folder a command names by `--config` and `--data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gateway.config import Config

__all__ = ["configured"]


def configured(config: Path | None, data: Path | None) -> tuple[Config, Path]:
    """The configuration, and the data folder: the one named, else the configuration's, from where that lies. BadParameter with its faults."""
    from gateway.config import ConfigError, load

    try:
        loaded = load(config)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    return loaded, data or (config.parent if config is not None else Path()) / loaded.data
