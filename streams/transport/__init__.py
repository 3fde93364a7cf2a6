"""Kafka under Faust: the batched transport, the store of the tables and the durable writers.

With `streams.topology` the only place that imports Faust. What we use of it, and how we would
leave it: docs/adr/0005-what-we-use-of-faust.md.
"""
