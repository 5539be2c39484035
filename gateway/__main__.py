"""`python -m gateway` is `claimwire`."""

from gateway.cli import main

main()
