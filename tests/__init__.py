"""Tests: laws first, then contracts, then flows over real sockets."""
