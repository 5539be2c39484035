"""Seeing the service: logs, traces and metrics, none of which can carry a patient's data."""
