"""The JSON dialect of hosted clearinghouses, from the caller's side: the upstream's raw X12 paths and its mailbox."""
