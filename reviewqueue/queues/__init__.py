"""What is reviewed, and how: the configuration document, its versions, and routing."""
