"""Pictures and documents that items refer to: taken in, fetched, kept by their content, and given out."""
