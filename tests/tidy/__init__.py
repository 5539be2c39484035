"""The tree and its documents keep to the rules of the house."""
