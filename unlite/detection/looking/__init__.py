"""Looking at pictures, folders and videos with a model or with several: what is found, as rows and as drawings."""
