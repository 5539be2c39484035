"""The HTTP face: the industry's dialect and `/v1`, both described by one OpenAPI document."""
