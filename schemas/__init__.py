"""The language: everything that can lie on a topic, ids and how they are derived, the codec.

Knows msgspec and the standard library, and no other room. Begin reading at the envelope.
"""
