"""Any payer or clearinghouse that takes raw X12 over HTTPS, as README.md beside this file describes."""

from adapters.transports.rest import RawX12

adapter = RawX12("rest", "raw X12 over HTTPS")
