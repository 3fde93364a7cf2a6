"""Files for operators: they fit together, and fit the code."""
