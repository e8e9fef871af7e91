"""A user study from videos to a table: stimuli, sessions, page and server, ratings, statistics."""
