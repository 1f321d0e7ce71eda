"""What follows from a verdict: alerts that reach people. It names no unmasked call."""
