"""The pages and the API beside them: what campaigns do, leads, facts, caught mails.

Everything shown is what the parent has read from Kafka into memory, bounded; nothing here writes
but `POST /api/by-hand`. Begin reading at `app`.
"""
