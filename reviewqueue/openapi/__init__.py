"""The REST API as an OpenAPI 3.1 document, and as a page: every route, member, answer and error."""
