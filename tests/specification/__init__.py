"""The sentences of the language, and what shows each of them."""
