"""The application for any WSGI server: `gunicorn wsgi:app`."""

from reviewqueue.app import create_app

app = create_app()
