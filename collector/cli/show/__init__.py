"""Documents of the store → text for people: pure functions, no store, no terminal."""
