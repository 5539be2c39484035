"""What the fork server of mortal gateways has in memory before it forks: all modules, and compiled guides."""

from __future__ import annotations

import tests.flows.mortal  # noqa: F401
from adapters import registry
from gateway.api import server  # noqa: F401
from gateway.judges import make_ready

for _name in ("rest", "core", "sftp", "dialect"):
    registry.load(_name)
make_ready()
