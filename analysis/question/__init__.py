"""What a question is: its two files, the recordings it reads, its arms, and families of tests."""
