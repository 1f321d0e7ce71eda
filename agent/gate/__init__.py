"""The connect gate: nobody speaks TLS before its program and libraries were looked into."""
