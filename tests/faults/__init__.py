"""Real processes of ours on a real broker, killed, stopped and cut off."""
