"""Delivery: the protocol without I/O, mails, sinks, and all of it on real Kafka and SMTP."""
