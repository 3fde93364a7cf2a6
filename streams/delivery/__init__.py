"""The protocol of delivery as an object without I/O: taken in, started, result, retry.

Stands beside `streams.partition`. Its agent is in `streams.topology`, its sinks are in `app`
and are handed in. May import `schemas` only.
"""
