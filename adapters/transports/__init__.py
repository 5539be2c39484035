"""Ways to move bytes that several adapters share."""
