"""What only a look at the whole tree can tell."""
