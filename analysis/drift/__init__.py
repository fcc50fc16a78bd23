"""Does attention spread and leave the image, does the hidden state drift, and what does smoothing change?"""
