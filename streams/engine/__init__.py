"""The rules of journeys: handle, decide, evolve; plans, triggers, expressions, time, limits.

Pure, synchronous and deterministic: no I/O, clock or chance; the time comes from the record.
May import `schemas` only. Begin reading at handle, then decide, then evolve.
"""
