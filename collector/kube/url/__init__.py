"""Request targets as Go and the apiserver read them."""
