"""Tests may import every room; nothing imports tests."""
