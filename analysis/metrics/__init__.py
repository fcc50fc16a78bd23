"""What captions and answers are worth: one unrounded record a caption; aggregation is separate."""
