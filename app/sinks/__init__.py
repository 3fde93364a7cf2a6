"""Ways out: one module per channel. A sink carries one command out, or raises Retry or Reject.

Knows nothing of Kafka: what is called when, and what is remembered, is `streams.delivery`'s.
"""
