"""The acts of the console as a JSON API: described by OpenAPI, errors as problems (RFC 9457), lists by cursor."""
