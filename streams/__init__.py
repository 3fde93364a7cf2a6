"""From a record to its consequences: the rules, the protocol of a partition, Faust.

`engine` holds the rules, `partition` and `delivery` the protocols as objects without I/O,
`transport` and `topology` join them to Kafka and Faust, `simulation` runs the same objects
without Kafka. Begin reading at `streams.engine`.
"""
