"""The role `delivery`: `streams.delivery` on Kafka, with the sinks of `app.sinks`.

Begin reading at role.
"""
