"""Whether this agent really records: it looks at itself, and tells whoever asks."""
