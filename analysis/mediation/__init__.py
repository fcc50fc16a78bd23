"""Does smoothing act through attention or past it? Natural direct and indirect effects by teacher-forced patching of attention rows."""
