"""What a recording is: its written schema, its labelled arrays, its files, and the store that resumes."""
