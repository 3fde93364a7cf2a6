"""Measurements that people run by hand; no test asserts a time."""
