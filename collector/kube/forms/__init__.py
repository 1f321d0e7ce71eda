"""Body encodings, each bytes → value with named limits: JSON, YAML, CBOR, protobuf."""
