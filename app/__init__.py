"""The machine: settings, one composition root per role, command line, HTTP, delivery's sinks.

The only room that reads a clock, the environment or the network for the sake of a role.
May import every other room; nothing imports it. Begin reading at the `worker` role.
"""
