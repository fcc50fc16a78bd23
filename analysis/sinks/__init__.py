"""What do the sink detectors agree on, and does any of them predict the attention that a token will receive?"""
