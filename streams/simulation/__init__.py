"""The same partition objects without Kafka: list topics, a clock moved by hand, seeded faults.

Product code: `dripline simulate`, `backtest` and `test` are made of it. Knows neither Faust
nor a broker.
"""
