"""What agent and collector share: the gRPC contract, the records in a batch, and how ids are made."""
