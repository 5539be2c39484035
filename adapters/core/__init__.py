"""Any payer or clearinghouse that speaks CAQH CORE connectivity, as README.md beside this file describes."""

from adapters.transports.core.client import Core

adapter = Core("core")
