"""Transaction sets as typed documents: JSON names are the dialect's, each field bound once to its place in a guide."""
