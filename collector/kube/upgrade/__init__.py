"""What an upgraded exchange carries: which channels there are, and what each one's bytes mean."""
