"""Study, records, claims and verdicts, the gates, figures, reports: what a notebook calls. Uses every other room."""
