"""What is kept: append-only records in ClickHouse SQL, and named questions about them."""
