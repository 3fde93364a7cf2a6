"""Recorded logs, and what a fold of them came to when they were recorded."""
