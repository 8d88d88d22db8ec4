"""What a cervigram is made of: criteria of treatability, the anatomy that they look at, its place in a photograph."""
