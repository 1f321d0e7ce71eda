"""Who asks, how that is known, and what they may."""
