"""Any payer that takes and gives files over SFTP, as README.md beside this file describes."""

from adapters.transports.sftp.client import Sftp

adapter = Sftp("sftp")
