"""The protocol of one partition as an object without I/O.

What happened goes in (recovered, received, acknowledged, tick), what is to be done comes out
(produce, acknowledge, halt). No await and no clock. May import `streams.engine` and `schemas`.
"""
