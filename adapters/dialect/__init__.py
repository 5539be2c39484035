"""Any clearinghouse that answers the dialect's JSON, another Claimwire among them, as README.md beside this file describes."""

from adapters.transports.dialect.client import Dialect

adapter = Dialect()
