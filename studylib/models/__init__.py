"""Networks with heads that class activation maps can read exactly: one module an architecture, names in `registry`."""
