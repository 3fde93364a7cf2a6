"""Scenario files: what must hold, one file a rule, written from the language's page."""
