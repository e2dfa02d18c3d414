"""The HTTP API under ``/api/v1/``: who may ask for what, and in which form.

`routes` has the shape of a route, `app` serves them, `openapi` describes them.
"""
