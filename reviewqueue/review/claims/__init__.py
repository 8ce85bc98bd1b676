"""Claims: tasks in the hands of people."""
