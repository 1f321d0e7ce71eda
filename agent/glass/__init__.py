"""Break-glass: for a while nothing is enforced on this node, by word of a person."""
