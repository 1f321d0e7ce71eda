"""Rules: policies as values, and what they say of masked records. No I/O, no clock."""
