"""From a FitSpec to a trained network: cached by what it depends on, resumable, one lock a fit."""
