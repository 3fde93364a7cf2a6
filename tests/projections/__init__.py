"""Projections: rows, chDB, ClickHouse, kills."""
