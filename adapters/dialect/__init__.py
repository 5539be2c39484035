"""A hosted clearinghouse, or another Claimwire, that answers the dialect, as README.md beside this file describes."""

from adapters.transports.dialect import DialectX12

adapter = DialectX12("dialect", "a clearinghouse that answers the dialect, over its raw X12 paths")
