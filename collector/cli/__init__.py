"""The chaperone command."""
