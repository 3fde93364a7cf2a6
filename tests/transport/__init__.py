"""The transport on a real broker: every trap of Faust that it closes has a test."""
