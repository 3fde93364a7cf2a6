"""From the log to tables for analysts: rows, batches, ClickHouse clients, migrations, queries.

Everything here can be dropped and rebuilt from the topics. May import `schemas` only.
"""
