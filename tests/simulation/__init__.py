"""The simulation: the world in memory, scenario files, recorded interactions."""
