"""What others may ask of an open store."""
