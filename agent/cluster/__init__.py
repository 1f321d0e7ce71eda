"""What the API server says about this node: asked and parsed in a process of its own, told to the agent in short messages."""
